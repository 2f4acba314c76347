"""Messages in parts: whole once, in any order, bounded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.feishu.parts import Assembly, PartsError


@given(st.lists(st.binary(max_size=5), min_size=2, max_size=8), st.randoms())
def test_parts_in_any_order_repeated_and_empty_are_one_message(parts: list[bytes], random: object) -> None:
    assembly = Assembly()
    order = [*range(len(parts))] * 2
    random.shuffle(order)  # type: ignore[attr-defined]
    seen: set[int] = set()
    for seq in order:
        whole = assembly.add("m", seq, len(parts), parts[seq], 0.0)
        seen.add(seq)
        if len(seen) == len(parts):
            assert whole == b"".join(parts)
            break
        assert whole is None
    assert (len(assembly), assembly.bytes) == (0, 0)


def test_messages_do_not_mix() -> None:
    assembly = Assembly()
    assert assembly.add("a", 0, 2, b"a0", 0.0) is None
    assert assembly.add("b", 0, 2, b"b0", 0.0) is None
    assert assembly.add("b", 1, 2, b"b1", 0.0) == b"b0b1"
    assert assembly.add("a", 1, 2, b"a1", 0.0) == b"a0a1"


def test_a_single_part_is_the_message() -> None:
    assert Assembly().add("", 0, 1, b"x", 0.0) == b"x"


@pytest.mark.parametrize(("seq", "total"), [(-1, 2), (2, 2), (0, 0), (0, -1), (0, 257), (1, 1)])
def test_numbers_out_of_range(seq: int, total: int) -> None:
    with pytest.raises(PartsError, match="range"):
        Assembly().add("m", seq, total, b"", 0.0)


@pytest.mark.parametrize("message_id", ["", "m" * 257])
def test_parts_need_an_id_that_can_be_kept(message_id: str) -> None:
    assembly = Assembly()
    with pytest.raises(PartsError, match="id"):
        assembly.add(message_id, 0, 2, b"", 0.0)
    assert len(assembly) == 0


def test_a_message_that_does_not_become_whole_in_time_is_forgotten() -> None:
    assembly = Assembly(expiry=5.0)
    assembly.add("old", 0, 2, b"x", 0.0)
    assembly.add("new", 0, 2, b"y", 4.0)
    assert assembly.add("old", 1, 2, b"x", 5.0) is None
    assert assembly.add("new", 1, 2, b"z", 8.9) == b"yz"
    assert assembly.given_up == 1
    assembly.expire(10.0)
    assert (assembly.given_up, len(assembly), assembly.bytes) == (2, 0, 0)


def test_another_number_of_parts_begins_anew() -> None:
    assembly = Assembly()
    assembly.add("m", 0, 2, b"old", 0.0)
    assert assembly.add("m", 1, 3, b"1", 0.0) is None
    assert assembly.add("m", 0, 3, b"0", 0.0) is None
    assert assembly.add("m", 2, 3, b"2", 0.0) == b"012"


def test_bytes_are_bounded() -> None:
    assembly = Assembly(max_bytes=10)
    assembly.add("a", 0, 2, b"12345", 0.0)
    with pytest.raises(PartsError, match="large"):
        assembly.add("b", 0, 2, b"123456", 0.0)
    assert (len(assembly), assembly.bytes) == (1, 5)
    assert assembly.add("a", 1, 2, b"6", 0.0) == b"123456"


@given(
    st.lists(
        st.tuples(st.sampled_from("abcdef"), st.integers(0, 3), st.integers(2, 4), st.binary(max_size=8)), max_size=60
    )
)
def test_nothing_grows(parts: list[tuple[str, int, int, bytes]]) -> None:
    assembly = Assembly(max_bytes=40, max_parts=4)
    for now, (name, seq, total, part) in enumerate(parts):
        try:
            assembly.add(name, seq, total, part, float(now))
        except PartsError:
            assert seq >= total or len(part) > 0
        assert assembly.bytes <= 40
        assert len(assembly) <= 4
        assert assembly.bytes == sum(len(p) for m in assembly._messages.values() for p in m.parts.values())
