"""The frames that official SDKs were seen to send and take, and whatever else can be sent in their place."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from router.feishu import frames
from router.feishu.frames import CONTROL, DATA, Frame, FrameError, ack, ack_code, decode, encode
from tests.feishu.vectors import ALL

VECTORS: dict[str, dict[str, Any]] = {vector["id"]: vector for vector in ALL["ws_frames"]}
GOOD = [name for name in VECTORS if name != "garbage"]
TEXT = st.text(max_size=20)
FRAMES = st.builds(
    Frame,
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**64 - 1),
    st.integers(-(2**31), 2**31 - 1),
    st.integers(-(2**31), 2**31 - 1),
    st.lists(st.tuples(TEXT, TEXT), max_size=8).map(tuple),
    st.none() | TEXT,
    st.none() | TEXT,
    st.none() | st.binary(max_size=300),
    st.none() | TEXT,
    raw=st.none(),
)


def bytes_of(name: str) -> bytes:
    return bytes.fromhex(VECTORS[name]["hex"])


@pytest.mark.parametrize("name", GOOD)
def test_vectors_come_back_byte_for_byte(name: str) -> None:
    frame = decode(bytes_of(name))
    assert encode(frame) == bytes_of(name)
    assert encode(frame._replace(raw=None)) == bytes_of(name)


def test_a_ping_is_what_the_sdks_send() -> None:
    assert frames.ping(33554678) == bytes_of("ping")


@pytest.mark.parametrize("name", ["pong-with-config", "pong-without-payload"])
def test_a_pong_is_what_the_server_sends(name: str) -> None:
    payload = VECTORS[name].get("payload")
    assert frames.pong(33554678, payload.encode() if payload else None) == bytes_of(name)


@pytest.mark.parametrize(
    ("name", "code", "data"),
    [
        ("ack-ok", 200, None),
        ("ack-fail", 500, None),
        ("ack-callback", 200, b'{"toast":{"type":"info","content":"ok"}}'),
    ],
)
def test_an_acknowledgement_is_the_frame_with_another_payload(name: str, code: int, data: bytes | None) -> None:
    wanted = decode(bytes_of(name))
    biz_rt = int(wanted.header("biz_rt"))
    came = wanted._replace(headers=wanted.headers[:-1], payload=b"{}", raw=None)
    assert ack(came, code, biz_rt, data) == ack(decode(encode(came)), code, biz_rt, data) == bytes_of(name)
    assert ack_code(wanted) == code
    if data is None:
        assert ack(decode(bytes_of("event-single")), code, biz_rt) == bytes_of(name)


def test_an_event_has_what_every_sdk_insists_on() -> None:
    frame = decode(frames.event(7, 3, "m-1", b"{}", 1608725989000, (1, 2)))
    assert (frame.seq_id, frame.log_id, frame.service, frame.method, frame.payload) == (7, 7, 3, DATA, b"{}")
    assert dict(frame.headers).keys() >= {"type", "message_id", "trace_id", "sum", "seq"}
    assert (frame.header("type"), frame.header("sum"), frame.header("seq")) == ("event", "2", "1")
    assert len(dict(frame.headers)) == len(frame.headers)


def read(reader: Callable[[bytes], Frame | None], data: bytes) -> Frame | None:
    try:
        return reader(data)
    except (FrameError, IndexError, UnicodeDecodeError):
        return None


@given(FRAMES, st.lists(st.tuples(st.integers(0, 400), st.none() | st.integers(0, 255)), max_size=3))
def test_the_short_way_reads_what_the_long_way_reads_or_leaves_it(
    frame: Frame, damage: list[tuple[int, int | None]]
) -> None:
    data = bytearray(encode(frame))
    for place, byte in damage:
        if byte is None:
            del data[place:]
        elif place < len(data):
            data[place] = byte
    short = read(frames._ordinary, bytes(data))
    assert short is None or short == read(frames._decode, bytes(data))


@pytest.mark.parametrize("log_id_new", [None, "abc"])
def test_so_it_is_whichever_byte_is_another_or_the_last(log_id_new: str | None) -> None:
    headers = (("type", "event"), ("", ""), ("sum", "1"))
    whole = encode(Frame(1, 300, 3, DATA, headers, payload=b"{}", log_id_new=log_id_new))
    assert frames._ordinary(whole) == frames._decode(whole)
    for place in range(len(whole)):
        cut = whole[:place]
        assert read(frames._ordinary, cut) in (None, read(frames._decode, cut))
        for byte in range(256):
            data = whole[:place] + bytes((byte,)) + whole[place + 1 :]
            assert read(frames._ordinary, data) in (None, read(frames._decode, data))


def test_many_headers_are_refused_both_ways() -> None:
    data = encode(Frame(1, 1, 1, DATA, (("a", "b"),) * 65, payload=b"{}"))
    assert read(frames._ordinary, data) is None
    assert read(frames._decode, data) is None


@pytest.mark.parametrize("name", [name for name in GOOD if name.startswith(("event", "ack", "card", "missing"))])
def test_what_feishu_sends_goes_the_short_way(name: str) -> None:
    assert frames._ordinary(bytes_of(name)) == frames._decode(bytes_of(name))


@given(FRAMES)
def test_every_frame_can_be_read_back(frame: Frame) -> None:
    assert decode(encode(frame))._replace(raw=None) == frame


@given(FRAMES, st.sampled_from([200, 500]), st.integers(-(2**31), 2**31))
def test_every_frame_can_be_acknowledged(frame: Frame, code: int, biz_rt: int) -> None:
    made = decode(ack(decode(encode(frame)), code, biz_rt))
    assert made._replace(raw=None) == frame._replace(
        headers=(*frame.headers, ("biz_rt", str(biz_rt))), payload=orjson.dumps({"code": code})
    )
    assert ack(decode(encode(frame)), code, biz_rt) == ack(frame, code, biz_rt)


def group(number: int, content: bytes) -> bytes:
    return frames.varint(number << 3 | 3) + content + frames.varint(number << 3 | 4)


UNKNOWN = st.recursive(
    st.binary(min_size=1, max_size=20).map(lambda content: b"\xfa\x06" + bytes((len(content),)) + content)  # field 111
    | st.sampled_from([b"\xf5\x06abcd", b"\xf1\x06abcdefgh", b"\xf0\x06\x07"]),
    lambda inner: st.builds(group, st.integers(9, 2**29 - 1), st.lists(inner, max_size=3).map(b"".join)),
    max_leaves=8,
)


@given(FRAMES, st.lists(UNKNOWN, min_size=1, max_size=3).map(b"".join))
def test_fields_that_nobody_knows_are_skipped_and_given_back(frame: Frame, unknown: bytes) -> None:
    read = decode(encode(frame) + unknown)
    assert read._replace(raw=None) == frame
    assert ack(read, 200, 1).endswith(unknown)


@pytest.mark.parametrize(
    ("unknown", "flaw"),
    [
        (b"\xa3\x01\x08\x05", "ends within"),
        (b"\xa3\x01\xac\x01", "did not begin"),
        (b"\xa4\x01", "unknown form"),
        (b"\xa3\x01" * 101 + b"\xa4\x01" * 101, "too deeply"),
        (b"\xa3\x01" * 1_000_000, "too deeply"),
    ],
)
def test_groups_that_are_none(unknown: bytes, flaw: str) -> None:
    decode(bytes_of("ping") + b"\xa3\x01" * 100 + b"\xa4\x01" * 100)
    with pytest.raises(FrameError, match=flaw):
        decode(bytes_of("ping") + unknown)


@given(st.binary(max_size=200))
@example(bytes_of("garbage"))
@example(b"\x08")
@example(b"\x0b\x0c")
@example(b"\x00\x00")
@example(b"\x08" + b"\xff" * 11)
@example(bytes_of("ping")[:-1])
@example(bytes_of("ping") + b"\x42\xff\xff\xff\xff\x0f")
def test_garbage_is_a_frame_error_or_a_frame(data: bytes) -> None:
    try:
        frame = decode(data)
    except FrameError:
        return
    assert decode(encode(frame))._replace(raw=None) == frame._replace(raw=None)


@given(st.data())
def test_any_damage_is_a_frame_error_or_a_frame(data: st.DataObject) -> None:
    whole = bytearray(bytes_of("event-single"))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    test_garbage_is_a_frame_error_or_a_frame.hypothesis.inner_test(bytes(whole))  # type: ignore[attr-defined]


@pytest.mark.parametrize("field", [1, 2, 3, 4])
def test_a_required_field_must_be_there(field: int) -> None:
    data = b"".join(bytes((number << 3, 1)) for number in (1, 2, 3, 4) if number != field)
    with pytest.raises(FrameError, match="required"):
        decode(data)


def test_bounds() -> None:
    many = Frame(1, 1, 1, DATA, (("a", "b"),) * (frames.MAX_HEADERS + 1))
    with pytest.raises(FrameError, match="headers"):
        decode(encode(many))
    with pytest.raises(FrameError, match="key"):
        decode(b"\x08\x01\x10\x01\x18\x01\x20\x01\x2a\x03\x0a\x01a")
    with pytest.raises(FrameError, match="UTF-8"):
        decode(b"\x08\x01\x10\x01\x18\x01\x20\x01\x2a\x06\x0a\x01\xff\x12\x01a")


def test_negative_numbers_are_of_32_bits() -> None:
    assert decode(encode(Frame(0, 0, -1, CONTROL)))[2] == -1
    assert decode(b"\x08\x00\x10\x00\x18\xff\xff\xff\xff\x0f\x20\x00").service == -1


def test_the_first_of_two_headers_counts() -> None:
    assert Frame(0, 0, 0, DATA, (("sum", "1"), ("sum", "2"))).header("sum") == "1"
    assert Frame(0, 0, 0, DATA).header("sum") == ""


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b'{"code":200,"headers":null,"data":null}', 200),
        (b'{"code": 200}', 200),
        (b'{"code":500}', 500),
        (b'{"code":"200"}', None),
        (b'{"code":true}', None),
        (b"[]", None),
        (b"", None),
        (None, None),
        (b"{", None),
    ],
)
def test_codes_of_acknowledgements(payload: bytes | None, code: int | None) -> None:
    assert ack_code(Frame(0, 0, 0, DATA, payload=payload)) == code
