"""What the next commit will hold: collected on the event loop, written by the writer thread, never touched by both at once."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from typing import Any

import orjson

from router.envelope import Envelope
from router.journal.contract import Attempt, DeadLetter, Parked, Settlement, Verdict

Control = Callable[[sqlite3.Connection], Any]
"""Something to do within the commit's transaction."""

_MAX_MS = (1 << 62) - 1


def dedupe_key(envelope: Envelope) -> bytes:
    """16 bytes that name the event: two events share them only if source, type and id are all the same.

    The copy of a dead letter is none of its event's: it is named by its sink and its own time besides.
    """
    if envelope.deadsink is not None:
        return _letter_key(envelope, envelope.deadsink)
    source, type_ = envelope.source, envelope.type
    return blake2b(
        f"{len(source)}:{len(type_)}:{source}{type_}{envelope.id}".encode("utf-8", "surrogatepass"), digest_size=16
    ).digest()


def _letter_key(envelope: Envelope, sink: str) -> bytes:
    parts = (envelope.source, envelope.type, envelope.id, sink, envelope.recordedtime)
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16, person=b"dead letter").digest()


def created_key(envelope: Envelope) -> int:
    """The creation time as SQLite can hold it; what can't be one counts as none."""
    created = envelope.created_ms
    return created if 0 <= created <= _MAX_MS else 0


def letter_json(letter: DeadLetter) -> bytes:
    """The letter as an array for `json_each`. Raises ValueError when JSON can't hold it."""
    row = (
        letter.lane,
        letter.position,
        letter.event_id,
        letter.type,
        letter.subject,
        letter.body.decode("utf-8", "replace"),
        letter.reason,
        letter.detail,
        letter.attempts,
        letter.first_failed_ms,
        letter.last_failed_ms,
        letter.dead_ms,
        letter.app,
        history_json(letter.history),
    )
    return _dumps(row)


def parked_json(parked: Parked) -> bytes:
    """The reference as an array for `json_each`. Raises ValueError when JSON can't hold it."""
    return _dumps(
        (
            parked.position,
            parked.order_key,
            parked.scope,
            parked.attempts,
            parked.tries,
            parked.first_failed_ms,
            parked.last_failed_ms,
            parked.due_ms,
            parked.reason,
            parked.detail,
            history_json(parked.history),
        )
    )


def history_json(history: Sequence[Attempt]) -> str:
    """The attempts as `history_of` reads them; "" when there are none. Raises ValueError when JSON can't hold them."""
    return array([_dumps(tuple(attempt)) for attempt in history]) if history else ""


def history_of(text: str | bytes) -> tuple[Attempt, ...]:
    """What `history_json` wrote. Raises ValueError when it is damaged."""
    try:
        return tuple(Attempt(*attempt) for attempt in orjson.loads(text)) if text else ()
    except TypeError as error:
        raise ValueError(f"a history of attempts is damaged: {error}") from error


def array(rows: Iterable[bytes]) -> str:
    """One JSON array of JSON texts."""
    return f"[{b','.join(rows).decode()}]"


def storable(text: str) -> str:
    """Without NUL, at which SQLite's JSON would cut it, and without halves of surrogate pairs; nearly always as it is."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def _dumps(row: tuple[object, ...]) -> bytes:
    try:
        text = orjson.dumps(row)
        if b"\\u0000" not in text:
            return text
    except TypeError:
        pass
    try:
        return orjson.dumps([storable(value) if isinstance(value, str) else value for value in row])
    except TypeError as error:
        raise ValueError(f"can't be stored: {error}") from error


class LaneChange:
    """What one lane's settlements since the last commit come to: the latest word on each thing."""

    __slots__ = ("dead", "parked", "position", "settled", "unparked")

    def __init__(self) -> None:
        self.position = 0
        self.settled: list[tuple[int, int]] = []
        self.parked: dict[int, bytes] = {}
        self.unparked: set[int] = set()
        self.dead: list[bytes] = []

    def add(self, later: "LaneChange") -> None:
        """Merge what was said after this."""
        self.position, self.settled = later.position, later.settled
        for position in later.unparked:
            self.parked.pop(position, None)
        self.unparked = (self.unparked | later.unparked) - later.parked.keys()
        self.parked |= later.parked
        self.dead += later.dead


def lane_change(settlement: Settlement) -> LaneChange:
    """A settlement ready to be written, so that the writer thread can't stumble. Raises ValueError when it can't be."""
    change = LaneChange()
    change.position, change.settled = settlement.position, list(settlement.settled)
    change.parked = {parked.position: parked_json(parked) for parked in settlement.parked}
    change.unparked = set(settlement.unparked) - change.parked.keys()
    change.dead = [letter_json(letter) for letter in settlement.dead]
    return change


class Batch:
    """One commit. Envelope i has its (created_ms, key) at ids[2i], ids[2i+1] and its answer in futures[i]."""

    __slots__ = (
        "controls", "copies", "envelopes", "futures", "ids", "letter_futures", "letters", "settle_futures", "settles", "size"
    )  # fmt: skip

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.ids: list[int | bytes] = []
        self.futures: list[asyncio.Future[Verdict]] = []
        self.copies: list[asyncio.Future[Verdict]] = []
        self.letters: list[bytes] = []
        self.letter_futures: list[asyncio.Future[None]] = []
        self.settles: dict[str, LaneChange] = {}
        self.settle_futures: list[asyncio.Future[None]] = []
        self.controls: list[tuple[Control, asyncio.Future[Any]]] = []
        self.size = 0

    def event_keys(self) -> list[bytes]:
        """Of all envelopes."""
        return self.ids[1::2]  # type: ignore[return-value] # ids alternates created_ms and key

    def created(self) -> list[int]:
        """Of all envelopes."""
        return self.ids[::2]  # type: ignore[return-value] # as above

    def waiters(self) -> list[asyncio.Future[Any]]:
        """All futures of this commit."""
        return [
            *self.futures, *self.copies, *self.letter_futures, *self.settle_futures, *[f for _, f in self.controls]
        ]  # fmt: skip

    @property
    def urgent(self) -> bool:
        """Whether somebody waits for this commit, so that it shouldn't wait for others to join."""
        return bool(self.futures or self.letter_futures or self.controls)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to write."""
        return not (self.urgent or self.settles)
