"""Event frames, made cheaply: what all frames of a connection have in common is encoded once."""

import random
import time
from collections.abc import Iterator

from router.feishu import frames
from router.feishu.frames import DATA, Frame

MESSAGE_ID, TIMESTAMP = "<message-id-of-thirty-six-letters-->", "<timestamp-->"
_PAYLOAD_TAG = b"\x42"


class Messages:
    """Makes the frames of one connection. service: its `service_id`."""

    def __init__(self, service: int, instance: str, seed: int) -> None:
        self._service = service
        self._instance = instance
        self._rng = random.Random(seed)  # noqa: S311 - nothing is guarded by it
        self._whole = self._head("event", 1, 0)
        self._card = self._head("card", 1, 0)

    def event(self, message_id: str, body: bytes) -> bytes:
        """The whole event in one frame. message_id: 36 letters."""
        return _filled(self._whole, message_id, body)

    def card(self, message_id: str, body: bytes) -> bytes:
        """The same as a frame of type card."""
        return _filled(self._card, message_id, body)

    def parts(self, message_id: str, body: bytes, how: str) -> Iterator[bytes]:
        """The event in three parts. how: a fault that begins with `split`."""
        cuts = sorted(self._rng.randint(0, len(body)) for _ in range(2))
        if how == "split-empty":
            cuts[1] = cuts[0]
        pieces = [body[: cuts[0]], body[cuts[0] : cuts[1]], body[cuts[1] :]]
        made = [
            _filled(self._head("event", len(pieces), number), message_id, piece) for number, piece in enumerate(pieces)
        ]
        if how == "split-reordered":
            made.reverse()
        elif how == "split-repeated":
            made.insert(1, made[0])
        elif how == "split-lost":
            del made[self._rng.randrange(len(made))]
        yield from made

    def garbage(self, body: bytes) -> bytes:
        """Something that is no event."""
        rng = self._rng
        whole = self.event("0" * 36, body)
        return rng.choice(
            (
                b"",
                b"\xff\xff\xff\xff\x01",
                rng.randbytes(rng.randint(1, 2000)),
                whole[: rng.randrange(1, len(whole))],
                frames.encode(Frame(1, 1, self._service, DATA, (("type", "event"),), payload=body)),
                frames.encode(Frame(1, 1, self._service, DATA, (("type", "mystery"), *_headers("m", 1, 0)))),
                frames.encode(Frame(1, 1, self._service, 7, (("type", "event"), *_headers("m", 1, 0)))),
                frames.encode(
                    Frame(1, 1, self._service, DATA, (("type", "event"), *_headers("m", 2, 9)), payload=body)
                ),
                frames.encode(Frame(1, 1, self._service, DATA, (("type", "event"), *_headers("m", -1, -3)))),
                frames.encode(
                    Frame(1, 1, self._service, DATA, (("type", "event"), *_headers("m", 1 << 62, 5)), payload=body)
                ),
            )
        )

    def _head(self, type_: str, total: int, seq: int) -> tuple[bytes, ...]:
        log_id = self._rng.getrandbits(63)  # beyond 2^53, as Feishu's are: one SDK rounds them
        headers = (("type", type_), *_headers(MESSAGE_ID, total, seq), ("instance_id", self._instance))
        return _cut_up(frames.encode(Frame(self._rng.getrandbits(20), log_id, self._service, DATA, headers)))


def _headers(message_id: str, total: int, seq: int) -> tuple[tuple[str, str], ...]:
    return (
        ("message_id", message_id),
        ("trace_id", MESSAGE_ID),
        ("sum", str(total)),
        ("seq", str(seq)),
        ("timestamp", TIMESTAMP),
    )


def _cut_up(head: bytes) -> tuple[bytes, ...]:
    """What stands before, between and behind the two ids and the timestamp."""
    first, second, rest = head.split(MESSAGE_ID.encode())
    return (first, second, *rest.split(TIMESTAMP.encode()))


def _filled(head: tuple[bytes, ...], message_id: str, body: bytes) -> bytes:
    first, second, third, last = head
    id_ = message_id.encode()
    now = b"%d" % (time.time() * 1000)
    return b"".join((first, id_, second, id_, third, now, last, _PAYLOAD_TAG, frames.varint(len(body)), body))
