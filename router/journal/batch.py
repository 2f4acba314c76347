"""What the next commit will hold: collected on the event loop, written by the writer thread, never touched by both at once."""

import asyncio
import sqlite3
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

import orjson

from router.envelope import Envelope
from router.journal.contract import DeadLetter, Parked, Settlement, Verdict

Control = Callable[[sqlite3.Connection], Any]
"""Something to do within the commit's transaction."""

LetterRow = tuple[str | int | None, ...]


def dedupe_key(envelope: Envelope) -> bytes:
    """16 bytes that name the event: two events share them only if source, type and id are all the same."""
    source, type_ = envelope.source, envelope.type
    return blake2b(
        f"{len(source)}:{len(type_)}:{source}{type_}{envelope.id}".encode("utf-8", "surrogatepass"), digest_size=16
    ).digest()


def letter_row(letter: DeadLetter) -> LetterRow:
    """The letter as JSON can carry it to SQLite. Raises ValueError when the body isn't UTF-8."""
    return (
        letter.lane,
        letter.position,
        letter.event_id,
        letter.type,
        letter.subject,
        letter.body.decode(),
        letter.reason,
        letter.detail,
        letter.attempts,
        letter.first_failed_ms,
        letter.last_failed_ms,
        letter.dead_ms,
    )


class LaneChange:
    """What one lane's settlements since the last commit come to: the latest word on each thing."""

    __slots__ = ("dead", "parked", "position", "settled", "unparked")

    def __init__(self) -> None:
        self.position = 0
        self.settled: list[tuple[int, int]] = []
        self.parked: dict[int, Parked] = {}
        self.unparked: set[int] = set()
        self.dead: list[LetterRow] = []

    def add(self, settlement: Settlement, dead: list[LetterRow]) -> None:
        """Merge a later settlement."""
        self.position = settlement.position
        self.settled = settlement.settled
        for position in settlement.unparked:
            self.parked.pop(position, None)
            self.unparked.add(position)
        for parked in settlement.parked:
            self.unparked.discard(parked.position)
            self.parked[parked.position] = parked
        self.dead += dead

    def parked_json(self) -> str:
        """Rows for `json_each`."""
        rows = [
            (
                p.position,
                p.order_key,
                p.scope,
                p.attempts,
                p.tries,
                p.first_failed_ms,
                p.last_failed_ms,
                p.due_ms,
                p.reason,
                p.detail,
            )
            for p in self.parked.values()
        ]
        return orjson.dumps(rows).decode()


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
        self.letters: list[LetterRow] = []
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
