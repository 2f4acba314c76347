from sinks.contract import DELIVERED, Unavailable
from sinks.memory import SINK, MemorySettings, MemorySink
from tests.doubles.envelopes import make_envelope


async def test_it_keeps_the_very_envelopes_in_order() -> None:
    sink = MemorySink()
    await sink.open()
    events = [make_envelope(number) for number in range(3)]
    assert await sink.deliver(events) == [DELIVERED] * 3
    assert sink.envelopes == events
    await sink.close()
    assert sink.envelopes == events


async def test_when_full_it_takes_no_more_and_drops_nothing() -> None:
    sink = SINK.build("m", MemorySettings(type="memory", capacity=2))
    assert isinstance(sink, MemorySink)
    await sink.open()
    first, second, third = await sink.deliver([make_envelope(number) for number in range(3)])
    assert first == second == DELIVERED
    assert third == Unavailable("full", "2 events are kept in memory, and no more")
    sink.envelopes.clear()
    assert await sink.deliver([make_envelope(2)]) == [DELIVERED]
