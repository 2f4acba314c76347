"""What arrived at the ends: a Kafka consumer, an HTTP receiver, files; each as ids by subject, in order."""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer

Arrived = dict[str, list[str]]


def by_subject(events: Iterable[Mapping[str, Any]], *, apart: bool) -> Arrived:
    """Ids by subject, in order of arrival, copies included. apart: each type by itself, as topics and files are."""
    arrived: Arrived = {}
    for event in events:
        key = f"{event['subject']} {event['type']}" if apart else event["subject"]
        arrived.setdefault(key, []).append(event["id"])
    return arrived


def in_files(folder: Path) -> list[dict[str, Any]]:
    """All lines of all JSON Lines files."""
    files = sorted(folder.rglob("*.jsonl"))
    return [orjson.loads(line) for file in files for line in file.read_bytes().splitlines()]


async def in_kafka(bootstrap: str, topics: Sequence[str]) -> list[dict[str, Any]]:
    """Everything in those topics, by partition in order of offset."""
    consumer = AIOKafkaConsumer(*topics, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        ends = await consumer.end_offsets(list(consumer.assignment()))
        assert {partition.topic for partition in ends} == set(topics), "a topic is not there"
        events: list[dict[str, Any]] = []
        while any([await consumer.position(partition) < end for partition, end in ends.items()]):
            batches = await consumer.getmany(timeout_ms=1000)
            events += [orjson.loads(message.value) for batch in batches.values() for message in batch]
        return events
    finally:
        await consumer.stop()


def stored(journal: Path) -> Counter[str]:
    """How often each id is stored in the journal's file."""
    with sqlite3.connect(f"file:{journal}?mode=ro", uri=True) as connection:
        return Counter(orjson.loads(body)["id"] for (body,) in connection.execute("SELECT body FROM events"))


def check(arrived: Arrived, answered: set[str], sent: set[str], order: Mapping[str, int]) -> int:
    """Everything answered is there, nothing that wasn't sent, each subject in order. Returns how many are copies."""
    everything = [id_ for ids in arrived.values() for id_ in ids]
    missing = answered - set(everything)
    assert not missing, f"{len(missing)} answered 200 and not delivered, such as {sorted(missing)[:3]}"
    assert set(everything) <= sent, "something arrived that was never pushed"
    for key, ids in arrived.items():
        numbers = [order[id_] for id_ in dict.fromkeys(ids)]
        assert numbers == sorted(numbers), f"out of order: {key}"
    return len(everything) - len(set(everything))
