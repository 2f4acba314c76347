import orjson
from hypothesis import given
from hypothesis import strategies as st

from sinks.file.encode import by_file, line
from tests.doubles.envelopes import make_envelope


@given(st.recursive(st.none() | st.text() | st.integers(-(2**63), 2**64 - 1), st.lists))
def test_an_event_is_one_line_with_its_bytes(data: object) -> None:
    envelope = make_envelope(data={"data": data})
    assert line(envelope) == envelope.json + b"\n"
    assert line(envelope).count(b"\n") == 1


def test_indented_json_becomes_one_line() -> None:
    envelope = make_envelope()
    indented = envelope._replace(json=orjson.dumps(envelope.document(), option=orjson.OPT_INDENT_2))
    assert line(indented).count(b"\n") == 1
    assert orjson.loads(line(indented)) == envelope.document()


@given(st.lists(st.sampled_from("abc"), max_size=20))
def test_parts_keep_the_order_and_know_their_events(files: list[str]) -> None:
    batch = [make_envelope(number, type_=name) for number, name in enumerate(files)]
    parts = by_file(batch, lambda envelope: envelope.type)
    assert sorted(index for part in parts.values() for index in part.indices) == list(range(len(batch)))
    for name, part in parts.items():
        assert part.indices == sorted(part.indices)
        assert part.data == b"".join(line(batch[index]) for index in part.indices)
        assert {batch[index].type for index in part.indices} == {name}
