"""What stands at the ends when all is over: the journal's file, Kafka's topics, the archive's files."""

import sqlite3
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.admin import AIOKafkaAdminClient

from tests.crash.oracle.events import MARK
from tests.crash.oracle.facts import Arrival, Facts, Kept, Letter, flaw_in
from tests.crash.oracle.plan import Plan


def died(log: Path) -> set[tuple[str, str]]:
    """(sink, event id) of all that became dead letters."""
    lines = [orjson.loads(line) for line in log.read_bytes().splitlines() if b'"event_dead"' in line]
    return {(line["sink"], line["event_id"]) for line in lines}


def journal(file: Path, lanes: Sequence[str]) -> Kept:
    """Read the journal, as far as those lanes are concerned; no router may run."""
    kept = Kept()
    connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    try:
        for position, body in connection.execute("SELECT position, body FROM events"):
            kept.events[position] = orjson.loads(body)["data"]["serial"]
        for lane, position, body in connection.execute("SELECT lane, position, body FROM dead_letters"):
            serial = orjson.loads(body)["data"]["serial"] if position is not None else None
            kept.letters.append(Letter(lane, serial, position, bytes(body, "utf-8") if isinstance(body, str) else body))
        head = max(kept.events, default=0)
        for name, position in connection.execute("SELECT name, position FROM lanes"):
            if position < head and name in lanes:
                kept.unsettled.append(f"lane {name} stands at {position}, the journal's head is {head}")
        for lane, count in connection.execute("SELECT lane, count(*) FROM parked GROUP BY lane"):
            if lane in lanes:
                kept.unsettled.append(f"lane {lane} has {count} parked events")
    finally:
        connection.close()
    return kept


async def topics(bootstrap: str, prefix: str) -> list[str]:
    """The run's topics."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        return [name for name in await admin.list_topics() if name.startswith(prefix)]
    finally:
        await admin.close()


async def drop_topics(bootstrap: str, prefix: str) -> None:
    """So that the brokers of a long soak don't fill up."""
    names = await topics(bootstrap, prefix)
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        if names:
            await admin.delete_topics(names)
    finally:
        await admin.close()


async def kafka(bootstrap: str, prefix: str, facts: Facts) -> list[Arrival]:
    """Everything in the run's topics, each partition in order."""
    names = await topics(bootstrap, prefix)
    if not names:
        return []
    arrivals: list[Arrival] = []
    consumer = AIOKafkaConsumer(*names, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        ends = await consumer.end_offsets(list(consumer.assignment()))
        assert {partition.topic for partition in ends} == set(names), "a topic is not there"
        while any([await consumer.position(partition) < end for partition, end in ends.items()]):
            for messages in (await consumer.getmany(timeout_ms=500)).values():
                arrivals += [_from_kafka(message, len(arrivals) + at, facts) for at, message in enumerate(messages)]
    finally:
        await consumer.stop()
    return arrivals


def _from_kafka(message: "ConsumerRecord[bytes, bytes]", order: int, facts: Facts) -> Arrival:
    headers = {name: value.decode() for name, value in message.headers}
    whole = [message.key, message.value, *(value for _, value in message.headers)]
    if any(MARK.encode() in (part or b"") for part in whole):
        facts.leaks.append(f"a record of {message.topic}")
    body = orjson.loads(message.value or b"")
    if "ce_id" in headers:
        attributes: dict[str, Any] = {name[3:]: value for name, value in headers.items() if name.startswith("ce_")}
        data = body
    else:
        attributes, data = body, body["data"]
    serial = int(data["serial"])
    at = message.timestamp / 1000 if facts.plan.append_time else None
    flaw = flaw_in(facts.plan, serial, data, attributes)
    scope, replayed = f"{message.topic}/{message.partition}", "replayedtime" in attributes
    return Arrival(serial, order, scope, at, flaw=flaw, replayed=replayed)


class Archive:
    """Watches how the files grow, so that it is known when each line came. Offsets are told apart by inode."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._sizes: dict[int, list[tuple[float, int]]] = defaultdict(list)

    def look(self) -> None:
        """Note the sizes now."""
        now = time.time()
        for file in self._root.rglob("*.jsonl"):
            stat = file.stat()
            seen = self._sizes[stat.st_ino]
            if not seen or seen[-1][1] != stat.st_size:
                seen.append((now, stat.st_size))

    def arrivals(self, plan: Plan) -> list[Arrival]:
        """All lines of all files. A time is that of the look that found the line; it came at most one look earlier."""
        self.look()
        found: list[Arrival] = []
        for file in sorted(self._root.rglob("*.jsonl")):
            scope, seen, offset = str(file.relative_to(self._root)), self._sizes[file.stat().st_ino], 0
            for line in file.read_bytes().splitlines(keepends=True):
                found.append(_from_line(line, len(found), scope, _grown_beyond(seen, offset), plan))
                offset += len(line)
        return found


def _from_line(line: bytes, order: int, scope: str, at: float, plan: Plan) -> Arrival:
    try:
        document: Mapping[str, Any] = orjson.loads(line)
        serial = int(document["data"]["serial"])
    except (ValueError, KeyError):
        return Arrival(0, order, scope, at, flaw=f"{scope}: a line that is no event: {line[:80]!r}")
    flaw = flaw_in(plan, serial, document["data"], dict(document))
    return Arrival(serial, order, scope, at, flaw=flaw, replayed="replayedtime" in document)


def _grown_beyond(sizes: list[tuple[float, int]], offset: int) -> float:
    """When the file grew beyond the offset for the last time (it may have been cut in between)."""
    at = sizes[-1][0]
    for when, size in reversed(sizes):
        if size <= offset:
            break
        at = when
    return at
