"""What is refused, and counted beforehand."""

from pathlib import Path

import pytest

from router.dispatch.order import ReplayOrder
from router.operations.contract import UnknownError
from sinks.contract import Rejected
from tests.doubles.dispatching import dispatching
from tests.doubles.scripted import ScriptedSink


async def test_unknown_names_and_numbers_are_told_with_what_there_is(tmp_path: Path) -> None:
    async with dispatching(tmp_path, iam=ScriptedSink()) as running:
        with pytest.raises(UnknownError, match="no sink bus; there are iam"):
            await running.operators.replay(ReplayOrder("bus"))
        with pytest.raises(UnknownError, match="no sink bus"):
            await running.operators.count_replay(ReplayOrder("bus"), None)
        with pytest.raises(UnknownError, match="no replay 7"):
            await running.operators.stop_replay(7)
        with pytest.raises(UnknownError, match="no dead letter 7"):
            await running.operators.letter(7)


async def test_a_letter_is_found_by_its_number(tmp_path: Path) -> None:
    async with dispatching(tmp_path, iam=ScriptedSink(lambda _: Rejected("http_400"))) as running:
        await running.fill(range(3))
        await running.settled()
        letters = await running.letters()
        assert await running.operators.letter(letters[1].id) == letters[1]
        [group] = await running.operators.count_letters(running.everything)
        assert (group.lane, group.reason, group.count, group.last_id) == ("iam", "http_400", 3, letters[-1].id)


async def test_a_replay_is_counted_step_by_step(tmp_path: Path) -> None:
    async with dispatching(tmp_path, iam=(ScriptedSink(), {"subjects": ["!s0"]})) as running:
        await running.fill(range(2500))
        await running.settled()
        total, after, steps = 0, None, 0
        while True:
            count = await running.operators.count_replay(ReplayOrder("iam", subjects=("!s1",)), after)
            total, after, steps = total + count.events, count.next, steps + 1
            if after is None:
                break
        assert (total, steps) == (1500, 3)
