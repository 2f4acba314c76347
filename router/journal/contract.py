"""What a journal is: a log with named cursors, durable before it says so."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, Protocol

from router.envelope import Envelope

INGRESS = "ingress"
"""The lane name under which quarantined pushes are kept as dead letters."""


class Verdict(Enum):
    """What became of an appended envelope, said only when that is durable."""

    STORED = "stored"
    DUPLICATE = "duplicate"


class JournalError(Exception):
    """The journal can't take or give what was asked. The push is answered 503."""


class JournalFullError(JournalError):
    """The size limit (or the disk) is reached and nothing settled is left to drop. `holder` names the sink that holds it."""

    def __init__(self, message: str, holder: str | None = None) -> None:
        super().__init__(message)
        self.holder = holder


class JournalFailedError(JournalError):
    """A write or sync failed: nothing is tried again on this file, the process must end and start afresh."""


class JournalOpenError(JournalError):
    """The journal can't be opened: locked, newer, damaged, or on a network file system. The text says what to do."""


class JournalDamagedError(JournalOpenError):
    """Its file is damaged, the one case in which it may be set aside."""


class Record(NamedTuple):
    """An envelope and its place in the log."""

    position: int
    envelope: Envelope


class Attempt(NamedTuple):
    """One delivery that failed: when (Unix ms), and why."""

    at_ms: int
    reason: str
    detail: str


HISTORY_MAX = 20
"""Attempts that are remembered of one event: the first, and the latest of the others."""


@dataclass(frozen=True, slots=True)
class Parked:
    """A durable reference to an event that waits outside the window."""

    position: int
    order_key: str
    """Scope and subject (or what the sink's ORDERING says): events with the same key keep their order."""
    scope: str
    """The unavailable scope that it waits for; "" when it waits for its own retry or behind another of its key."""
    attempts: int = 0
    """Failures that count: another event was delivered since."""
    tries: int = 0
    """All deliveries tried; the backoff grows with it."""
    first_failed_ms: int = 0
    last_failed_ms: int = 0
    due_ms: int = 0
    reason: str = ""
    detail: str = ""
    history: tuple[Attempt, ...] = ()
    """At most HISTORY_MAX; the last one says what `reason` and `detail` say."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that a sink will not get by itself any more, or a push that was authentic but not understood."""

    lane: str
    position: int | None
    event_id: str
    type: str
    subject: str | None
    body: bytes
    """The envelope's JSON; for the lane `ingress` a JSON object with the push as it came, credentials masked."""
    reason: str
    detail: str
    attempts: int
    first_failed_ms: int
    last_failed_ms: int
    dead_ms: int
    id: int = 0
    """Given by the journal."""
    app: str = ""
    """Feishu's app id; of an ingress letter what the push said, "" when it didn't."""
    history: tuple[Attempt, ...] = ()


@dataclass(frozen=True, slots=True)
class LetterFilter:
    """Which dead letters are meant: all conditions that are set hold. Empty: all letters.

    types: globs, `!` in front excludes (as in EVENTS). since_ms, until_ms: of `dead_ms`, from and before (Unix ms).
    up_to_id: none that came after this one, so that a long piece of work has an end.
    """

    lanes: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    apps: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    since_ms: int | None = None
    until_ms: int | None = None
    ids: tuple[int, ...] = ()
    up_to_id: int | None = None


ALL_LETTERS = LetterFilter()


class LetterKey(NamedTuple):
    """A place among the dead letters of all lanes in the order (lane, position, id); ingress letters have position 0."""

    lane: str
    position: int
    id: int


@dataclass(frozen=True, slots=True)
class LetterGroup:
    """Dead letters that have lane, type and reason in common. last_id: the newest of them."""

    lane: str
    type: str
    reason: str
    count: int
    oldest_ms: int
    newest_ms: int
    last_id: int


@dataclass(slots=True)
class Settlement:
    """What a lane has to say about its events: one transaction, and may join the next commit.

    position: everything up to here is settled, parked or dead; settled: ranges (first, last) above it that are too.
    parked: new or changed references; unparked: positions whose reference goes; dead: new dead letters.
    """

    position: int
    settled: list[tuple[int, int]] = field(default_factory=list)
    parked: list[Parked] = field(default_factory=list)
    unparked: list[int] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class LaneNotes:
    """What is remembered of a lane besides its progress.

    started: the position where the cursor began. absent_ms: since when (Unix ms) no sink has this name in the settings;
    0: it has. about: JSON of whoever made the lane (the sink's type; what a replay sends); the journal doesn't read it.
    """

    started: int = 0
    paused: bool = False
    absent_ms: int = 0
    about: str = ""


@dataclass(frozen=True, slots=True)
class LaneState:
    """A named cursor as it was last settled."""

    name: str
    position: int
    settled: list[tuple[int, int]]
    parked: int
    dead: int
    notes: LaneNotes = LaneNotes()


@dataclass(frozen=True, slots=True)
class KeyHead:
    """The parked events of one order key: the first of them, without its history, and how many there are."""

    head: Parked
    count: int


@dataclass(frozen=True, slots=True)
class Meta:
    """Sizes and ends of the log. bytes: on disk without free pages; oldest_ms: when the oldest kept event was recorded."""

    head: int
    events: int
    bytes: int
    limit_bytes: int
    oldest_ms: int | None
    holder: str | None
    """The lane with the lowest position, when it has unsettled events; else the one with most parked. One absent for too
    long holds nothing but what is parked for it."""
    dead: Mapping[str, int] = field(default_factory=dict)
    """Dead letters by lane, INGRESS among them."""


class Journal(Protocol):
    """All methods are called on the event loop's thread; none blocks it."""

    async def open(self) -> None:
        """Lock, check, migrate. Raises JournalOpenError."""

    async def close(self) -> None:
        """Write what is pending, checkpoint, unlock. Idempotent."""

    def append(self, envelope: Envelope) -> asyncio.Future[Verdict]:
        """Join the next commit. The future resolves when that is durable; cancelling it cancels no commit.

        A copy of an event whose commit is pending resolves with that commit, as DUPLICATE, or fails with it and then none
        is remembered. Raises JournalFullError or JournalFailedError at once; the future may fail with them as well.
        """

    def quarantine(self, letter: DeadLetter) -> asyncio.Future[None]:
        """Keep an ingress dead letter, durable when the future resolves. A copy (same event_id) is kept once."""

    def settle(self, lane: str, settlement: Settlement) -> asyncio.Future[None]:
        """Record a lane's progress with the next commit (at the latest some tens of ms later). Resolves when durable."""

    async def register(self, lane: str, start: int | None = None, about: str = "") -> LaneState:
        """The lane's cursor, made at `start` (None: the head) with these notes when it is new."""

    async def note(self, lane: str, notes: LaneNotes) -> None:
        """Change what is remembered of a lane; durable when it returns. Raises JournalError for an unknown lane."""

    async def rename(self, lane: str, to: str) -> None:
        """Give the cursor, with all that is parked and dead for it, another name; durable when it returns.

        When `to` has a cursor already, both become one: what both have settled is settled. That is possible when `to`
        started at or after everything that `lane` has read; else, and for an unknown lane, raises JournalError.
        """

    async def forget(self, lane: str) -> None:
        """Drop the cursor and what is parked for it; dead letters stay."""

    async def lanes(self) -> Sequence[LaneState]:
        """All known cursors."""

    async def number(self, above: int = 0) -> int:
        """A number, above that one, that was never given before and is never given again, restarts included."""

    async def position_at(self, recorded_ms: int) -> int:
        """Where reading must begin (`after`) to get every kept event that was recorded at or after this time (Unix ms)."""

    async def read(self, after: int, limit: int, max_bytes: int) -> Sequence[Record]:
        """The next records in order of storage, at least one if there is one. From memory at the head, else from disk."""

    async def wait(self, after: int) -> None:
        """Return once the head is beyond `after`."""

    async def parked_heads(self, lane: str, limit: int) -> Sequence[KeyHead]:
        """The keys with parked events (scope ""), the earliest due first; for a lane's start."""

    async def parked_scopes(self, lane: str) -> dict[str, int]:
        """Scopes with parked events, and how many each."""

    async def read_parked(
        self, lane: str, *, order_key: str | None = None, scope: str | None = None, after: int = 0, limit: int = 100
    ) -> Sequence[tuple[Parked, Envelope]]:
        """Parked events of one key or one scope, by position above `after`."""

    def meta(self) -> Meta:
        """Sizes, counts, ends."""

    async def dead_letters(
        self, wanted: LetterFilter = ALL_LETTERS, limit: int = 100, after: LetterKey | None = None
    ) -> Sequence[DeadLetter]:
        """Dead letters in the order (lane, position, id), beyond `after`; fewer than `limit` when they are large."""

    async def count_letters(self, wanted: LetterFilter = ALL_LETTERS) -> Sequence[LetterGroup]:
        """How many there are, by lane, type and reason."""

    async def revive(self, lane: str, parked: Mapping[int, Parked]) -> Sequence[int]:
        """Dead letters of a registered lane, by id, go back into it: each is parked as said, and its body is in the log again
        at its old place, if it was dropped there. One transaction; gives the ids that were there, durable.
        """

    async def purge(self, ids: Sequence[int]) -> int:
        """Delete dead letters; how many were there. Durable when it returns."""

    @property
    def head(self) -> int:
        """Position of the newest durable record, 0 when there is none."""

    @property
    def failed(self) -> JournalFailedError | None:
        """Why the journal ended for good, if it has."""
