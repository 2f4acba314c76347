from router.dispatch.entry import Entry, scoped_key
from tests.doubles.events import envelope


def test_the_key_is_of_the_scope_so_that_a_sick_topic_holds_back_no_other() -> None:
    event = envelope(1, "s1")
    assert scoped_key("key", "", event) == event.partitionkey
    assert scoped_key("key", "topic", event) == f"topic\n{event.partitionkey}"
    assert scoped_key("source", "topic", event) == f"topic\n{event.source}"
    assert scoped_key("none", "topic", event) is None
    assert scoped_key("key", "a", event) != scoped_key("key", "b", event)


def test_knows_its_size() -> None:
    event = envelope(1, size=500)
    assert Entry(1, event, None, "").size == len(event.json) > 500
