"""Small worlds in which lanes once did the wrong thing; the model found them."""

import asyncio

from router.envelope import Envelope
from router.journal.contract import Parked
from sinks.contract import DELIVERED, Outcome, Unavailable
from tests.dispatch.lanes import make_lane, running
from tests.dispatch.test_parking import Lot
from tests.doubles.events import envelope
from tests.doubles.journal import MemoryJournal
from tests.doubles.scripted import ScriptedSink
from tests.doubles.virtual import run_virtual


def test_of_the_pauses_that_a_batch_is_asked_for_the_longest_counts() -> None:
    async def main() -> None:
        journal, times = MemoryJournal(), list[float]()

        def answer(event: Envelope) -> Outcome:
            times.append(asyncio.get_running_loop().time())
            if len(times) > 2:
                return DELIVERED
            return Unavailable("down") if event.id == "e0" else Unavailable("http_503", after=20)

        sink = ScriptedSink(answer)
        async with running(make_lane(sink, journal)):
            for n in range(2):
                _ = journal.append(envelope(n, f"s{n}"))
            await asyncio.sleep(60)
        assert sink.delivered == ["e0", "e1"]
        assert 20 <= times[2] - times[1] < 21

    run_virtual(main())


async def test_a_letter_given_back_goes_before_what_is_loaded_of_its_subject() -> None:
    """Else a consumer that was mended gets the old state last."""
    lot = Lot()
    lot.park(3, "k")
    await lot.parking.restore(300)
    lot.journal.parked["s"].pop(1)  # a dead letter, as yet
    [second] = await lot.load()
    assert second.position == 2
    assert second.parked is not None
    lot.parking.reserve(["k"])
    lot.journal.parked["s"][1] = Parked(1, "k", "")
    lot.parking.revived(["k"])
    assert lot.parking.divert(second)
    assert [entry.position for entry in await lot.load()] == [1]
