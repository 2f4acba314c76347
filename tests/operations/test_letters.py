"""Dead letters given back and deleted, over the real journal: once, in order, and nothing between two places."""

import asyncio
import random
from dataclasses import replace
from pathlib import Path

import orjson

from router.envelope import Envelope
from router.feishu.callback import Quarantined, receive
from router.journal.contract import INGRESS, DeadLetter, LetterFilter, Settlement
from sinks.contract import DELIVERED, Outcome, Rejected, Retry
from tests.contracts.journal import letter
from tests.doubles.dispatching import KEYRING, Dispatching, dispatching
from tests.doubles.events import envelope
from tests.doubles.pushes import KEY, event, signed
from tests.doubles.scripted import ScriptedSink
from tests.doubles.waiting import until

ALL = LetterFilter()


class Picky(ScriptedSink):
    """Rejects what is in `refused`, has what is in `failing` tried again."""

    def __init__(self) -> None:
        super().__init__(self._say, seconds=lambda: 0.001)
        self.refused: set[str] = set()
        self.failing: set[str] = set()

    def _say(self, event: Envelope) -> Outcome:
        if event.id in self.refused:
            return Rejected("http_400", "no")
        return Retry("http_500") if event.id in self.failing else DELIVERED


async def replay_all(running: Dispatching, wanted: LetterFilter = ALL, limit: int = 200) -> int:
    done, after = 0, None
    while True:
        step = await running.operators.replay_letters(wanted, limit, after)
        assert not step.skipped
        done, after = done + step.done, step.next
        if after is None:
            return done
        await asyncio.sleep(step.wait_seconds)


async def test_a_letter_given_back_is_delivered_and_gone(tmp_path: Path) -> None:
    sink = Picky()
    sink.refused = {"e3", "e4"}
    async with dispatching(tmp_path, iam=sink) as running:
        await running.fill(range(10))
        await running.settled()
        assert [letter.event_id for letter in await running.letters()] == ["e3", "e4"]
        sink.refused.clear()
        assert await replay_all(running) == 2
        await until(lambda: len(sink.delivered) == 10)
        assert sink.delivered[-2:] == ["e3", "e4"]
        await running.settled()
        assert await running.letters() == []
        assert [line["events"] for line in running.said("dead_letters_replayed")] == [2]
    async with dispatching(tmp_path, iam=sink):
        pass
    assert len(sink.delivered) == 10


async def test_it_comes_before_what_still_waits_of_its_subject(tmp_path: Path) -> None:
    sink = Picky()
    sink.refused, sink.failing = {"e0"}, {"e5"}
    async with dispatching(tmp_path, iam=(sink, {"retry": {"initial_seconds": 60, "max_seconds": 60}})) as running:
        await running.fill(range(20))  # e0, e5, e10, e15 are of one subject
        await until(lambda: running.dispatcher.lanes["iam"].reading().parked == 3)
        sink.refused, sink.failing = set(), set()
        assert await replay_all(running) == 1
    async with dispatching(tmp_path, iam=(sink, {"retry": {"initial_seconds": 0.01, "max_seconds": 0.01}})) as running:
        await running.settled()
    assert [id_ for id_ in sink.delivered if id_ in ("e0", "e5", "e10", "e15")] == ["e0", "e5", "e10", "e15"]


async def test_one_that_dies_again_is_a_letter_again_with_all_its_attempts(tmp_path: Path) -> None:
    sink = Picky()
    sink.refused = {"e3"}
    async with dispatching(tmp_path, iam=sink) as running:
        await running.fill(range(10))
        await running.settled()
        [first] = await running.letters()
        assert await replay_all(running) == 1
        await until(lambda: len(running.said("event_dead")) == 2)
        await running.settled()
        [again] = await running.letters()
        assert (again.event_id, again.position, again.body) == (first.event_id, first.position, first.body)
        assert again.id > first.id
        assert [attempt.reason for attempt in again.history] == ["http_400"]


async def test_nothing_is_given_back_to_a_sink_that_is_not_there(tmp_path: Path) -> None:
    sink = Picky()
    sink.refused = {"e3"}
    async with dispatching(tmp_path, iam=sink) as running:
        await running.fill(range(5))
        await running.settled()
    async with dispatching(tmp_path) as running:
        step = await running.operators.replay_letters(ALL, 100, None)
        assert (step.done, step.skipped) == (0, [(1, "the sink iam is not in the settings")])
        assert len(await running.letters()) == 1


async def test_a_letter_of_a_place_that_the_sink_has_not_come_to_stays_and_is_told(tmp_path: Path) -> None:
    async with dispatching(tmp_path, iam=Picky()) as running:
        await running.operators.pause("iam")
        await running.fill(range(10))
        await running.journal.register("iam/replay-1", 0)
        dead = letter("iam", 5)
        for body in (envelope(4, "s4").json, b"{}"):
            await running.journal.settle("iam/replay-1", Settlement(5, dead=[replace(dead, body=body)]))
            step = await running.operators.replay_letters(ALL, 100, None)
            assert (step.done, [number for number, _ in step.skipped]) == (0, [1])
        assert len(await running.letters()) == 1


async def test_a_purge_deletes_what_it_was_asked_for_and_no_more(tmp_path: Path) -> None:
    sink = Picky()
    sink.refused = {f"e{n}" for n in range(0, 30, 3)}
    async with dispatching(tmp_path, iam=sink) as running:
        await running.fill(range(30), subjects=5)
        await running.settled()
        wanted = LetterFilter(subjects=("s0",))
        step = await running.operators.purge_letters(wanted, 1, None)
        assert step.done == 1
        step = await running.operators.purge_letters(wanted, 100, step.next)
        assert step.done == 1
        assert {letter.subject for letter in await running.letters()} == {"s1", "s2", "s3", "s4"}
        assert await replay_all(running, wanted) == 0


async def test_random_deaths_and_replays_lose_nothing_double_nothing_and_keep_order(tmp_path: Path) -> None:
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    rng = random.Random(seed)
    for world in range(5):
        sink = Picky()
        sink.keeps_order = rng.random() < 0.5
        sink.concurrency = rng.choice([1, 4])
        folder = tmp_path / str(world)
        folder.mkdir()
        number, stored = 0, list[str]()
        for _ in range(3):
            async with dispatching(folder, iam=sink) as running:
                for _ in range(6):
                    sink.refused = {f"e{rng.randrange(number + 40)}" for _ in range(rng.randrange(20))}
                    sink.failing = {f"e{rng.randrange(number + 40)}" for _ in range(rng.randrange(5))}
                    stored += await running.fill(range(number, number + 40))
                    number += 40
                    if rng.random() < 0.7:
                        await replay_all(running, limit=rng.choice([1, 5, 200]))
                    await asyncio.sleep(rng.uniform(0, 0.05))
        sink.refused, sink.failing = set(), set()
        async with dispatching(folder, iam=sink) as running:
            await replay_all(running)
            await running.settled()
            assert await running.letters() == []
        copies = len(sink.delivered) - len(set(sink.delivered))
        assert set(sink.delivered) == set(stored)
        assert copies <= 40  # only what was under way at the three stops


async def quarantine(running: Dispatching, body: bytes) -> None:
    headers, sealed = signed(body, KEY)
    result = receive(KEYRING, "", headers, sealed, 1_769_903_998.0)
    assert isinstance(result, Quarantined)
    about = (result.event_id, result.type, None, result.body, result.reason, result.detail)
    await running.journal.quarantine(DeadLetter(INGRESS, None, *about, 0, 1, 1, 1))


async def test_a_quarantined_push_is_read_anew_and_stays_when_still_not_understood(tmp_path: Path) -> None:
    async with dispatching(tmp_path, iam=Picky()) as running:
        await quarantine(running, b'{"schema":"2.0","header":{"token":"test-verification-token"}}')
        step = await running.operators.replay_letters(ALL, 100, None)
        [(number, why)] = step.skipped
        assert (step.done, number, why.startswith("still not understood: it has no event type")) == (0, 1, True)
        assert len(await running.letters(INGRESS)) == 1


async def test_a_quarantined_push_that_is_understood_now_becomes_an_event(tmp_path: Path) -> None:
    sink = Picky()
    async with dispatching(tmp_path, iam=sink) as running:
        _, sealed = signed(event("q1"), KEY)
        kept = orjson.dumps({"app": "", "push": sealed.decode()})  # as an older router would have left it
        await running.journal.quarantine(DeadLetter(INGRESS, None, "x", "", None, kept, "envelope", "", 0, 1, 1, 1))
        assert await replay_all(running) == 1
        await until(lambda: sink.delivered == ["q1"])
        assert await running.letters() == []


async def test_a_quarantined_push_of_an_app_that_is_gone_stays(tmp_path: Path) -> None:
    async with dispatching(tmp_path) as running:
        kept = orjson.dumps({"app": "gone", "push": "{}"})
        await running.journal.quarantine(DeadLetter(INGRESS, None, "x", "", None, kept, "envelope", "", 0, 1, 1, 1))
        step = await running.operators.replay_letters(ALL, 100, None)
        assert step.skipped == [(1, "it can't be read: the app 'gone' is not in the settings")]
        assert len(await running.letters()) == 1
