"""What a hostile peer may send over one connection: requests that are almost right, in pieces, and then gone."""

from itertools import pairwise
from typing import NamedTuple

from hypothesis import strategies as st

from tests.doubles import pushes

MARK = "Xh0stileX"
"""Stands in everything a peer can choose: it must not turn up in the log."""

pick = st.sampled_from
lines = pick(
    [
        "POST /webhook/event HTTP/1.1",
        "POST /webhook/event HTTP/1.1",
        "POST /webhook/event HTTP/1.1",
        "POST /webhook/event HTTP/1.0",
        f"POST /webhook/event?{MARK} HTTP/1.1",
        f"POST /{MARK} HTTP/1.1",
        f"GET /webhook/event/{MARK} HTTP/1.1",
        f"{MARK} / HTTP/1.1",
        f"POST http://{MARK}/webhook/event HTTP/1.1",
        "POST http://[::1/ HTTP/1.1",
        "CONNECT a:1 HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "HEAD /webhook/event HTTP/1.1",
        "POST /webhook/event HTTP/2.0",
        "PRI * HTTP/2.0",
        "GET /",
        f"POST /webhook/event {MARK}",
        "POST /webhook/\xe9\xff HTTP/1.1",
        "POST  /webhook/event HTTP/1.1",
        "post /webhook/event HTTP/1.1",
        "A" * 5000,
        "",
    ]
)
headers = pick(
    [
        "Host: x",
        f"Host: {MARK}",
        f"X-A: {MARK}",
        "X-A: \xe9\xff",
        "X-A: a\0b",
        " folded",
        "\tfolded",
        "X-A : b",
        ": b",
        "X-A:b",
        "X-A: ",
        "X-A: " + "b" * 4096,
        "X" * 4096 + ": b",
        "Expect: 100-continue",
        f"Expect: {MARK}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Connection: close",
        "Connection: keep-alive",
        f"Connection: {MARK}",
        "Content-Encoding: gzip",
        f"Content-Encoding: {MARK}",
        "Content-Length: 0",
        "Content-Length: 5",
        "Content-Length: -1",
        "Content-Length: 5, 5",
        "Content-Length: 99999999999999999999",
        f"Content-Length: {MARK}",
        "Content-Length: 1048577",
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: identity",
        f"Transfer-Encoding: {MARK}",
        "X-Lark-Signature: 00",
        f"X-Lark-Signature: {MARK}",
        "X-Lark-Request-Nonce: \xff",
        "X-Lark-Request-Timestamp: " + "9" * 3000,
        f"X-Forwarded-For: {MARK}",
        f"X-Forwarded-For: ::1%{MARK}",
        "X-Forwarded-For: ,,,",
        f"Forwarded: for={MARK}",
        f"Traceparent: {MARK}",
        f"X-Refresh-Token: {MARK}",
        f"Content-Type: {MARK}",
        "Trailer: X-A",
        "TE: trailers",
        f"Authorization: Bearer {MARK}",
    ]
)
bodies = pick(
    [
        b"",
        b"{}",
        b"hello",
        b'{"encrypt":"%s"}' % MARK.encode(),
        b'{"type":"url_verification","challenge":"%s"}' % MARK.encode(),
        b'{"schema":"2.0","header":{"event_type":"%s"}}' % MARK.encode(),
        b"[" * 3000,
        b'{"a":' * 3000,
        b"\xff\xfe\x00",
        b"x" * 70_000,
    ]
) | st.binary(max_size=50)
sizes = pick([b"%x", b"%X", b"000%x", b"%x;a=b", b"+%x", b"0x%x", b" %x", b"-%x", b"%xg", b"ffffffffffffffff%x"])
tails = pick(
    [
        b"0\r\n\r\n",
        b"0\r\n",
        b"0\r\nX-A: b\r\n\r\n",
        b"0\r\nContent-Length: 5\r\n\r\n",
        b"0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        b"",
        b"zz\r\n",
        b"0\n\n",
    ]
)


class Attack(NamedTuple):
    pieces: list[bytes]
    end: str
    """What the peer does when it has sent them: half-close, reset, close, or stay."""


@st.composite
def chunked(draw: st.DrawFn, body: bytes) -> bytes:
    """The body in chunks, some of them no chunks."""
    cuts = sorted({0, len(body), *draw(st.lists(st.integers(0, len(body)), max_size=3))})
    framed = b""
    for start, end in pairwise(cuts):
        form = draw(pick([b"%x"]) | sizes)
        framed += form % (end - start) + b"\r\n" + body[start:end] + b"\r\n"
    return framed + draw(pick([b"0\r\n\r\n"]) | tails)


@st.composite
def requests(draw: st.DrawFn, event_id: str) -> bytes:
    """A push, right or wrong, in a request, right or wrong."""
    chosen = [] if draw(st.booleans()) else draw(st.lists(headers, max_size=4))
    body = draw(bodies)
    if draw(st.booleans()):
        signature, body = pushes.signed(pushes.event(event_id))
        chosen += [f"{name}: {value}" for name, value in signature.items()]
    framing = draw(pick(["length", "length", "chunked", "none"]))
    if framing == "length":
        chosen.append(f"Content-Length: {len(body)}")
    elif framing == "chunked":
        chosen.append("Transfer-Encoding: chunked")
        body = draw(chunked(body))
    line = draw(pick(["POST /webhook/event HTTP/1.1"]) | lines)
    end = draw(pick(["\r\n"] * 7 + ["\n"]))
    return end.join([line, "Host: router.test", *draw(st.permutations(chosen)), "", ""]).encode("latin-1") + body


@st.composite
def attacks(draw: st.DrawFn, event_id: str) -> Attack:
    """One connection's worth."""
    data = b"".join(
        draw(st.lists(requests(event_id), min_size=1, max_size=4))
        if draw(st.integers(0, 9))
        else [draw(st.binary(max_size=300))]
    )
    for _ in range(draw(pick([0, 0, 1, 2]))):
        at = draw(st.integers(0, len(data)))
        data = (
            data[:at]
            + draw(pick([b"", b"\r\n", b"\0", b" ", b"\r\n\r\n"]) | st.binary(max_size=8))
            + data[at + draw(st.integers(0, 8)) :]
        )
    cuts = sorted({0, len(data), *draw(st.lists(st.integers(0, len(data)), max_size=4))})
    pieces = [data[start:end] for start, end in pairwise(cuts)]
    return Attack(pieces, draw(pick(["half-close", "half-close", "reset", "close", "stay"])))
