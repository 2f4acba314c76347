"""The whole router as a program, on the long connection's road, against a Feishu that has bad days."""

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from router.feishu.discovery import ClientConfig
from router.feishu.samples import APP_ID
from router.simulator import long_connection, webhook
from router.simulator.account import State
from router.simulator.endpoint import App
from router.simulator.pushes import Push
from router.simulator.simulator import APP_SECRET, Behaviour, Simulator
from tests.flow.feishu import KEY, TOKEN, TYPES, department
from tests.flow.program import Program, eventually
from tests.flow.targets import by_subject, check, in_files, stored

APPS = [App(APP_ID, APP_SECRET)]
EVENTS, SUBJECTS, RECONNECTS = 100_000, 128, 50
COMPRESS = 240.0
OUTAGE_SECONDS = 600.0 / COMPRESS
CONNECTIONS = 6
PATIENCE = 240.0
BREATH = 20
BRISK = ClientConfig(-1, 1.0, 1.0, 5.0)
FAULTS = {
    "drop-mid-frame": 0.0002,
    "reset": 0.0002,
    "close": 0.0002,
    "slow-frame": 0.0001,
    "lost": 0.0001,
    "split-lost": 0.0001,
    "garbage": 0.005,
    "duplicate-frame": 0.005,
    "card": 0.005,
    "split": 0.005,
    "split-reordered": 0.005,
    "split-repeated": 0.005,
    "split-empty": 0.005,
    "config": 0.2,
    "broken-config": 0.2,
    "no-pong": 0.2,
}
ROADS = (webhook.ROAD, long_connection.ROAD)
OUTAGE = {"http-500": 0.3, "http-503": 0.3, "code-1": 0.2, "no-json": 0.2}


def settings(feishu: Simulator, folder: Path, **more: str) -> dict[str, str]:
    app = {"MODE": "long_connection", "APP_ID": APP_ID, "APP_SECRET": APP_SECRET, "DOMAIN": feishu.domain}
    archive = {"TYPE": "file", "PATH": f"{folder}/archive/{{event_type}}.jsonl"}
    return {
        **{f"FER_APP__{name}": value for name, value in app.items()},
        "FER_APP__CONNECTIONS": str(CONNECTIONS),
        "FER_SINKS": "archive",
        **{f"FER_SINK__ARCHIVE__{name}": value for name, value in archive.items()},
        **more,
    }


def numbered() -> Iterator[tuple[str, dict[str, Any]]]:
    """(subject, push): each subject's events in turn, of all types."""
    for number in itertools.count(1):
        for subject in range(SUBJECTS):
            yield f"d{subject}", department(f"d{subject}", number, TYPES[number % len(TYPES)])


class Events:
    """What was pushed. order: the place of each id within its subject."""

    def __init__(self, feishu: Simulator) -> None:
        self.order: dict[str, int] = {}
        self._feishu = feishu
        self._source = numbered()

    async def push(self, count: int) -> None:
        """So many more, each subject's one after the other: as many are under way as there are subjects."""
        for number, (subject, document) in enumerate(itertools.islice(self._source, count)):
            push = Push.of(document)
            self.order[push.id] = len(self.order)
            self._feishu.push(push, queue=subject)
            if number % BREATH == 0:
                await asyncio.sleep(0)

    async def ended(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while self._feishu.account.ended < count:
                await self._feishu.progress()

    @property
    def accepted(self) -> set[str]:
        return {id_ for id_, record in self._feishu.account.records.items() if record.state is State.ACCEPTED}


@contextmanager
def struck_by(feishu: Simulator, shares: dict[str, float]) -> Iterator[None]:
    for name, share in shares.items():
        feishu.faults.share(name, share)
    yield
    for name in shares:
        feishu.faults.share(name, 0.0)


async def outage(feishu: Simulator) -> None:
    """Everybody is thrown out, and nobody let in."""
    with struck_by(feishu, OUTAGE):
        feishu.hang_up("reset")
        await asyncio.sleep(OUTAGE_SECONDS)


@pytest.mark.timeout(600)
async def test_an_outage_fifty_reconnects_and_a_hundred_thousand_events(tmp_path: Path) -> None:
    behaviour = Behaviour(compress=COMPRESS, duplicates=0.02, config=BRISK)
    async with Simulator(APPS, behaviour) as feishu:
        with Program(tmp_path, settings(feishu, tmp_path)) as router:
            await feishu.connected(CONNECTIONS)
            events = Events(feishu)
            with struck_by(feishu, FAULTS):
                await events.push(EVENTS - SUBJECTS)
                await events.ended(EVENTS // 2)
                await outage(feishu)
                await events.ended(EVENTS - SUBJECTS)
            feishu.faults.order("half-open")
            await events.push(SUBJECTS)
            await asyncio.wait_for(feishu.settled(), PATIENCE)
            while feishu.long.connected < CONNECTIONS + RECONNECTS:
                feishu.hang_up("close")
                await asyncio.wait_for(feishu.connected(CONNECTIONS), PATIENCE)
            await asyncio.to_thread(eventually, router.settled, PATIENCE, router.tail)
            assert router.metric("fer_dead_total") == 0
            assert await asyncio.to_thread(router.stop) == 0
        assert feishu.report().events == EVENTS
        assert {name for name in FAULTS if FAULTS[name] < 0.1} <= feishu.report().faults.keys()
        check_everything(tmp_path, events)


@pytest.mark.timeout(300)
async def test_killed_and_stopped_under_load(tmp_path: Path) -> None:
    async with Simulator(APPS, Behaviour(compress=COMPRESS, config=BRISK)) as feishu:
        router = Program(tmp_path, settings(feishu, tmp_path))
        events = Events(feishu)
        await events.push(6000)  # before anybody is connected
        for end, how in ((1500, router.kill), (3000, router.stop), (4500, router.kill)):
            with router:
                await events.ended(end)
                await asyncio.to_thread(how)
        with router:
            await asyncio.wait_for(feishu.settled(), PATIENCE)
            await asyncio.to_thread(eventually, router.settled, PATIENCE, router.tail)
            assert await asyncio.to_thread(router.stop) == 0
        check_everything(tmp_path, events, copies=True)


async def test_the_same_event_by_both_roads_is_stored_once(tmp_path: Path) -> None:
    both = {"FER_APP__ENCRYPT_KEY": KEY, "FER_APP__VERIFICATION_TOKEN": TOKEN}
    app = App(APP_ID, APP_SECRET, "", KEY, TOKEN)
    async with Simulator([app], Behaviour(config=BRISK, compress=COMPRESS)) as feishu:
        with Program(tmp_path, settings(feishu, tmp_path, **both)) as router:
            feishu.apps[APP_ID] = replace(app, webhook=router.url)
            assert await feishu.challenge() == ""
            await feishu.connected(CONNECTIONS)
            for number, roads in enumerate(itertools.islice(itertools.cycle((ROADS, ROADS[::-1])), 20)):
                push = Push.of(department("d1", number))
                for road in roads:
                    assert (await feishu.deliver(push, road=road)).state is State.ACCEPTED
                push = Push.of(department("d2", number))
                await asyncio.gather(*(feishu.deliver(push, road=road) for road in roads))
            assert {road: set(said) for road, said in feishu.report().answers.items()} == {
                road: {"200"} for road in ROADS
            }
            await asyncio.to_thread(eventually, router.settled, PATIENCE, router.tail)
            assert router.metric("fer_stored_total") == 40
            assert router.metric("fer_duplicates_total") == 40
            assert await asyncio.to_thread(router.stop) == 0
        assert len(in_files(tmp_path / "archive")) == 40


def check_everything(folder: Path, events: Events, *, copies: bool = False) -> None:
    """What was acknowledged with 200 is stored once and archived, each subject in order; and nothing else is anywhere.

    copies: whether the archive may have some, as after a crash.
    """
    kept = stored(folder / "data" / "journal.db")
    assert set(kept.values()) == {1}, "something is stored twice"
    assert not events.accepted - kept.keys(), "something acknowledged with 200 is not stored"
    assert len(events.accepted) > len(events.order) * 0.99
    archived = by_subject(in_files(folder / "archive"), apart=True)
    assert {id_ for ids in archived.values() for id_ in ids} == kept.keys(), "stored and archived are not the same"
    found = check(archived, events.accepted, set(events.order), events.order)
    assert copies or not found
