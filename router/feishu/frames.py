"""Frames of the long connection: one protobuf message (proto2, package pbbp2) in each binary websocket message.

A codec of our own: nine fields don't need a library, and an acknowledgement has to give back what came, byte for byte.
Source: what the official SDKs send and take; wire format: protobuf's "Encoding" page.
"""

import base64
from typing import Any, NamedTuple

import orjson

CONTROL, DATA = 0, 1
EVENT, CARD, PING, PONG = "event", "card", "ping", "pong"
MAX_HEADERS = 64
MAX_DEPTH = 100
"""Of groups within groups, as other parsers have it."""

_VARINT, _FIXED64, _BYTES, _GROUP, _GROUP_END, _FIXED32 = range(6)
_SEQ_ID, _LOG_ID, _SERVICE, _METHOD, _HEADER, _ENCODING, _TYPE, _PAYLOAD, _LOG_ID_NEW = range(1, 10)
_NUMBERS = (_SEQ_ID, _LOG_ID, _SERVICE, _METHOD)
_TEXTS = (_ENCODING, _TYPE, _LOG_ID_NEW)
_TAGS = tuple(number << 3 | _VARINT for number in _NUMBERS)
_HEADER_TAG, _PAYLOAD_TAG, _LOG_ID_NEW_TAG = (number << 3 | _BYTES for number in (_HEADER, _PAYLOAD, _LOG_ID_NEW))
_UINT64 = (1 << 64) - 1


class FrameError(ValueError):
    """Bytes that are no frame. The text names the flaw and quotes nothing."""


class Frame(NamedTuple):
    """One frame. method: CONTROL or DATA; headers: in order, as they came.

    raw: of a frame that was read, its own bytes but for the payload: up to the headers' end, and what stood behind.
    """

    seq_id: int
    log_id: int
    service: int
    method: int
    headers: tuple[tuple[str, str], ...] = ()
    payload_encoding: str | None = None
    payload_type: str | None = None
    payload: bytes | None = None
    log_id_new: str | None = None
    raw: tuple[bytes, bytes, bytes] | None = None

    def header(self, key: str) -> str:
        """The first header of that key, "" if there is none."""
        for name, value in self.headers:
            if name == key:
                return value
        return ""


def ping(service: int) -> bytes:
    """What a client sends at once and in each interval. service: `service_id` of the endpoint's URL."""
    return encode(Frame(0, 0, service, CONTROL, (("type", PING),)))


def pong(service: int, config: bytes | None = None) -> bytes:
    """The answer to a ping; config: a whole client configuration as JSON."""
    return encode(Frame(0, 0, service, CONTROL, (("type", PONG),), payload=config))


def event(
    number: int,
    service: int,
    message_id: str,
    payload: bytes,
    timestamp_ms: int,
    part: tuple[int, int] = (0, 1),
    type_: str = EVENT,
) -> bytes:
    """What a server pushes. number: small, since one SDK rounds what is beyond 2^53; part: which (from 0), of how many.

    Has each header that any SDK insists on, none twice.
    """
    headers = {
        "type": type_,
        "message_id": message_id,
        "trace_id": message_id,
        "timestamp": str(timestamp_ms),
        "sum": str(part[1]),
        "seq": str(part[0]),
    }
    return encode(Frame(number, number, service, DATA, tuple(headers.items()), payload=payload))


def ack(frame: Frame, code: int, biz_rt: int, data: bytes | None = None) -> bytes:
    """The same frame back: `biz_rt` (milliseconds that it took) joins the headers, the code takes the payload's place.

    code: 200 or 500; data: the JSON that answers a callback.
    """
    answer: dict[str, Any] = {"code": code}
    if data is not None:
        answer["data"] = base64.b64encode(data).decode()
    head, middle, rest = frame.raw or _raw(frame)
    payload = orjson.dumps(answer)
    return b"".join((head, _header("biz_rt", str(biz_rt)), middle, _field(_PAYLOAD, payload), rest))


def ack_code(frame: Frame) -> int | None:
    """The code that an acknowledgement carries, None when it carries none."""
    try:
        answer = orjson.loads(frame.payload or b"")
    except ValueError:
        return None
    code = answer.get("code") if isinstance(answer, dict) else None
    return code if type(code) is int else None


def encode(frame: Frame) -> bytes:
    """The frame's bytes, fields in the order of their numbers as every encoder writes them."""
    head, middle, rest = _raw(frame)
    payload = b"" if frame.payload is None else _field(_PAYLOAD, frame.payload)
    return b"".join((head, middle, payload, rest))


def _raw(frame: Frame) -> tuple[bytes, bytes, bytes]:
    values = (frame.seq_id, frame.log_id, frame.service, frame.method)
    numbers = b"".join(bytes((number << 3,)) + varint(value) for number, value in zip(_NUMBERS, values, strict=True))
    headers = b"".join(_header(key, value) for key, value in frame.headers)
    texts = ((_ENCODING, frame.payload_encoding), (_TYPE, frame.payload_type))
    middle = b"".join(_field(number, text.encode()) for number, text in texts if text is not None)
    rest = b"" if frame.log_id_new is None else _field(_LOG_ID_NEW, frame.log_id_new.encode())
    return numbers + headers, middle, rest


def _header(key: str, value: str) -> bytes:
    name, content = key.encode(), value.encode()
    if len(name) + len(content) < 0x7C:  # every length is one byte
        lengths = (len(name) + len(content) + 4, 0x0A, len(name))
        return b"*%b%b\x12%c%b" % (bytes(lengths), name, len(content), content)
    return _field(_HEADER, _field(1, name) + _field(2, content))


def _field(number: int, content: bytes) -> bytes:
    return bytes((number << 3 | _BYTES,)) + varint(len(content)) + content


def varint(value: int) -> bytes:
    """Negative numbers take ten bytes, as two's complement of 64 bits."""
    value &= _UINT64
    if value < 0x80:
        return bytes((value,))
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def decode(data: bytes) -> Frame:
    """Read a frame. Unknown fields are skipped, and kept for the acknowledgement. Raises FrameError."""
    try:
        return _ordinary(data) or _decode(data)
    except IndexError:
        raise FrameError("it ends within a field") from None
    except UnicodeDecodeError:
        raise FrameError("a text is no UTF-8") from None


def _ordinary(data: bytes) -> Frame | None:
    """A frame laid out as everybody lays it out, which is read in half the time; None for any other."""
    values = []
    at, end = 0, len(data)
    for tag in _TAGS:
        if at == end or data[at] != tag:
            return None
        value, at = _read_varint(data, at + 1)
        values.append(value)
    headers = []
    while at < end and data[at] == _HEADER_TAG:
        stop = at + 2 + data[at + 1]
        start = at + 6 + data[at + 3]  # of the value, behind the key and two bytes before each of them
        if not start <= stop <= end or stop - at > 0x81 or data[at + 2] != 0x0A:
            return None
        if data[start - 2] != 0x12 or data[start - 1] != stop - start:
            return None
        headers.append((data[at + 4 : start - 2].decode(), data[start:stop].decode()))
        at = stop
    if at == end or data[at] != _PAYLOAD_TAG or len(headers) > MAX_HEADERS:
        return None
    size, start = _read_varint(data, at + 1)
    stop = start + size
    log_id_new = None
    if stop < end:
        size, begin = _read_varint(data, stop + 1)
        if data[stop] != _LOG_ID_NEW_TAG or begin + size != end:
            return None
        log_id_new = data[begin:].decode()
    elif stop > end:
        return None
    seq_id, log_id, service, method = values
    raw = data[:at], b"", data[stop:]
    return Frame(
        seq_id,
        log_id,
        _int32(service),
        _int32(method),
        tuple(headers),
        payload=data[start:stop],
        log_id_new=log_id_new,
        raw=raw,
    )


def _decode(data: bytes) -> Frame:
    found: dict[int, Any] = {}
    headers: list[tuple[str, str]] = []
    pieces: tuple[list[bytes], list[bytes], list[bytes]] = ([], [], [])
    at, end = 0, len(data)
    while at < end:
        start = at
        if data[at] == _HEADER << 3 | _BYTES and data[at + 1] < 0x80:  # most fields are
            at += 2 + data[at + 1]
            if at > end:
                raise IndexError
            headers.append(_pair(data[start + 2 : at]))
            pieces[0].append(data[start:at])
            continue
        number, value, at = _next(data, at)
        if number == _PAYLOAD and type(value) is bytes:
            found[number] = value
            continue
        if number <= _METHOD and type(value) is int:
            found[number] = value
        elif number == _HEADER and type(value) is bytes:
            headers.append(_pair(value))
        elif number in _TEXTS and type(value) is bytes:
            found[number] = value.decode()
        pieces[0 if number <= _HEADER else 1 if number <= _TYPE else 2].append(data[start:at])
    if len(headers) > MAX_HEADERS:
        raise FrameError(f"it has more than {MAX_HEADERS} headers")
    if not found.keys() >= {*_NUMBERS}:
        raise FrameError("a required field is missing")
    get = found.get
    head, middle, rest = (b"".join(piece) for piece in pieces)
    return Frame(
        found[_SEQ_ID],
        found[_LOG_ID],
        _int32(found[_SERVICE]),
        _int32(found[_METHOD]),
        tuple(headers),
        get(_ENCODING),
        get(_TYPE),
        get(_PAYLOAD),
        get(_LOG_ID_NEW),
        (head, middle, rest),
    )


def _next(data: bytes, at: int, depth: int = 0) -> tuple[int, int | bytes | None, int]:
    """(number, value, where the next field begins). Raises IndexError at the end of the data, FrameError for nonsense."""
    tag = data[at]
    at += 1
    if tag > 0x7F:
        tag, at = _read_varint(data, at - 1)
    number, kind = tag >> 3, tag & 7
    if not 0 < number < 1 << 29:
        raise FrameError("a field has no number")
    if kind == _VARINT:
        value, at = _read_varint(data, at)
        return number, value, at
    if kind == _GROUP:
        return number, None, _behind_group(data, at, number, depth + 1)
    if kind == _BYTES:
        size, at = _read_varint(data, at)
        stop = at + size
    elif kind in (_FIXED64, _FIXED32):
        stop = at + (8 if kind == _FIXED64 else 4)
    else:
        raise FrameError("a field has an unknown form")
    if stop > len(data):
        raise IndexError
    return number, data[at:stop] if kind == _BYTES else None, stop


def _behind_group(data: bytes, at: int, group: int, depth: int) -> int:
    """Where the group's end ends. A form that nobody makes any more, but every parser skips."""
    if depth > MAX_DEPTH:
        raise FrameError("groups are nested too deeply")
    while True:
        tag, behind = _read_varint(data, at)
        if tag & 7 == _GROUP_END:
            if tag >> 3 != group:
                raise FrameError("a group ends that did not begin")
            return behind
        at = _next(data, at, depth)[2]


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    byte = data[at]
    if byte < 0x80:
        return byte, at + 1
    value, shift = byte & 0x7F, 7
    while shift < 70:
        at += 1
        byte = data[at]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & _UINT64, at + 1
        shift += 7
    raise FrameError("a number is too long")


def _pair(data: bytes) -> tuple[str, str]:
    size = len(data)
    start = data[1] + 4 if 4 <= size < 0x80 and data[0] == 0x0A else 0x80
    if start <= size and data[start - 2] == 0x12 and data[start - 1] == size - start:  # as everybody writes it
        return data[2 : start - 2].decode(), data[start:].decode()
    pair: dict[int, str] = {}
    at, end = 0, len(data)
    while at < end:
        number, value, at = _next(data, at)
        if number <= 2 and type(value) is bytes:
            pair[number] = value.decode()
    if len(pair) < 2:
        raise FrameError("a header has no key or no value")
    return pair[1], pair[2]


def _int32(value: int) -> int:
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value
