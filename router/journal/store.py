"""One commit after the other on one SQLite connection. Blocking; used by the writer thread alone."""

import shutil
import sqlite3
from dataclasses import dataclass, field
from itertools import compress
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from router.clock import Clock
from router.envelope import Envelope
from router.journal import ballast, schema
from router.journal import statements as sql
from router.journal.batch import Batch, LaneChange, array
from router.journal.contract import INGRESS, JournalFullError, LaneState
from router.journal.lanes import read_cursors, read_lanes
from router.journal.limits import Limits
from router.journal.opening import is_full
from router.journal.places import latest_ms, note_step
from router.journal.retention import SLICE, Ends, Sweep, read_ends, save_ends, times, trim

CHECKPOINT_PAGES = 100
"""New pages after which the log is carried over: few, so that it is soon done."""
LOG_PAGES = 1024
"""Pages of log after which it is in any case. Small commits write the same few pages again and again."""
MEASURE_BYTES = 4 << 20
MEASURE_MS = 1000
ROW_OVERHEAD = 80
_NEVER_MS = 1 << 62


class Tally(NamedTuple):
    """What a lane has: parked events, dead letters, and the bytes of these."""

    parked: int
    dead: int
    dead_bytes: int


@dataclass(slots=True)
class Done:
    """What a commit came to. `new` says for each envelope whether it was stored; None: all were."""

    first: int
    head: int
    new: list[bool] | None = None
    refused: JournalFullError | None = None
    """Why the batch's appends and letters were left out, while the rest of it was committed."""
    unsettled: bool = False
    """Whether not even the settlements found room: nothing was written."""
    tallies: dict[str, Tally] = field(default_factory=dict)
    lanes: list[LaneState] | None = None
    """All lanes, when something other than settlements may have changed them; `tallies` has all too then."""
    results: list[Any] = field(default_factory=list)
    events: int = 0
    bytes: int = 0
    oldest_ms: int | None = None
    disk_full: bool = False
    trimmed: int = 0
    more: bool = False
    """Whether there is more to drop than this commit's slice."""


class Store:
    """Built closed; all errors that leave it, but for those of `commit` in `Done.refused`, end the journal."""

    def __init__(self, path: Path, limits: Limits, clock: Clock) -> None:
        self._path = path
        self._limits = limits
        self._clock = clock
        self._sweep = Sweep(limits)
        self._ends = Ends()
        self._lanes: dict[str, tuple[int, int]] = {}
        self._last_ms = 0
        self._pages = 0
        self._new_bytes = 0
        self._log_pages = max(CHECKPOINT_PAGES, min(LOG_PAGES, limits.max_bytes // 16 // schema.PAGE_SIZE))
        self._bytes = 0
        self._unmeasured = MEASURE_BYTES
        self._measured_ms = 0
        self._disk_full = False
        self.head = 0

    def open(self, connection: sqlite3.Connection) -> Done:
        """Take over a configured connection of a checked file. Raises sqlite3.Error."""
        self._db = connection
        (last,) = self._db.execute("SELECT max(position) FROM events").fetchone()
        (head,) = self._db.execute("SELECT head FROM state").fetchone()
        self.head = max(last or 0, head)
        self._ends = read_ends(self._db)
        self._lanes = read_cursors(self._db)
        latest = latest_ms(self._db, self.head) if self.head else 0
        self._last_ms = _NEVER_MS if latest is None else latest
        self._measure(self._now_ms())
        done = Done(self.head + 1, self.head)
        done.lanes, done.tallies = read_lanes(self._db), self._read_tallies()
        return self._done(done)

    def commit(self, batch: Batch) -> Done:
        """Write the batch durably. When space runs out, its appends are refused and the rest is tried without them.

        Raises sqlite3.Error when anything else goes wrong: nothing may be tried again then.
        """
        done = self._attempt(batch, appends=True)
        if isinstance(done, Done):
            return done
        full = JournalFullError(f"no space left for {self._path}: free some on its disk")
        full.__cause__ = done
        self._disk_full = True
        again = self._attempt(batch, appends=False)
        if not isinstance(again, Done):
            ballast.release(self._path)
            again = self._attempt(batch, appends=False)
        if not isinstance(again, Done):
            again = self._done(Done(self.head + 1, self.head, unsettled=True))
        again.refused, again.disk_full = full, True
        return again

    def after(self) -> None:
        """What may wait until the commit was announced: a checkpoint. Raises sqlite3.Error."""
        if self._new_bytes < CHECKPOINT_PAGES * schema.PAGE_SIZE and self._pages < self._log_pages:
            return
        self._pages = self._new_bytes = 0
        try:
            self._db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        except sqlite3.Error as error:
            if not is_full(error):
                raise
            self._disk_full = True

    def close(self, *, failed: bool) -> None:
        """Checkpoint, unless failed or out of space (the log stays for the next start), and close. Raises sqlite3.Error."""
        try:
            if not failed:
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except sqlite3.Error as error:
            if not is_full(error):
                raise
        finally:
            self._db.close()

    def _attempt(self, batch: Batch, *, appends: bool) -> Done | sqlite3.Error:
        try:
            return self._transaction(batch, appends=appends)
        except sqlite3.Error as error:
            if not is_full(error):
                raise
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            return error

    def _transaction(self, batch: Batch, *, appends: bool) -> Done:
        now = self._now_ms()
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        envelopes = batch.envelopes if appends else []
        done = Done(self.head + 1, self.head)
        if envelopes and not self._append(envelopes, batch.ids, now):
            db.execute("ROLLBACK")
            done.new = self._find_new(envelopes, batch.ids)
            db.execute("BEGIN IMMEDIATE")
            envelopes = list(compress(envelopes, done.new))
            ids = [x for i, new in enumerate(done.new) if new for x in batch.ids[2 * i : 2 * i + 2]]
            if envelopes and not self._append(envelopes, ids, now):
                raise sqlite3.IntegrityError("events that were not there could not be stored")
        done.head = self.head + len(envelopes)
        if envelopes and now < self._last_ms:
            note_step(db, done.first)
        if appends and batch.letters:
            db.execute(sql.INSERT_QUARANTINED, (array(batch.letters),))
        done.results = [control(db) for control, _ in batch.controls]
        known, ends = (read_cursors(db), read_ends(db)) if batch.controls else (self._lanes, self._ends)
        ends = self._settle(batch.settles, self._reach_back(ends, known, now))
        lanes = known | {n: (change.position, known[n][1]) for n, change in batch.settles.items() if n in known}
        ends = self._retain(ends, lanes, len(envelopes), now, done)
        if self._sweep.due(now):
            self._sweep.run(db, now)
        db.execute("COMMIT")
        self.head, self._ends, self._lanes = done.head, ends, lanes
        self._tell(batch, done)
        if envelopes:
            self._last_ms = now
        if envelopes and ends.next_ms is None:
            ends.next_ms = now
            ends.oldest_ms = now if ends.oldest_ms is None else ends.oldest_ms
        self._account(envelopes, batch, now)
        return self._done(done)

    def _append(self, envelopes: list[Envelope], ids: list[int | bytes], now: int) -> bool:
        """Insert all. False: some were there already, the transaction is to be rolled back."""
        bodies = [envelope.json for envelope in envelopes]
        position = self.head + 1
        for start, end in sql.chunks(bodies):
            size = sql.size_for(end - start)
            keys = sql.padded(ids[2 * start : 2 * end], 2)
            if self._db.execute(sql.insert_seen(size), (now, *keys)).rowcount != end - start:
                return False
            rows = sql.padded(bodies[start:end], 1)
            if self._db.execute(sql.insert_events(size), (position, now, *rows)).rowcount != end - start:
                raise sqlite3.IntegrityError(f"position {position} and following are taken")
            position += end - start
        return True

    def _find_new(self, envelopes: list[Envelope], ids: list[int | bytes]) -> list[bool]:
        new = [True] * len(envelopes)
        for start in range(0, len(envelopes), sql.MAX_ROWS):
            keys = sql.padded(ids[2 * start : 2 * (start + sql.MAX_ROWS)], 2)
            (found,) = self._db.execute(sql.find_seen(len(keys) // 2), keys).fetchone()
            for number in (found or "").split(",") if found else ():
                new[start + int(number)] = False
        return new

    def _settle(self, settles: dict[str, LaneChange], ends: Ends) -> Ends:
        db = self._db
        for lane, change in settles.items():
            if change.dead:
                db.execute(sql.INSERT_DEAD, (array(change.dead),))
            settled = orjson.dumps(change.settled).decode()
            update = db.execute(
                "UPDATE lanes SET position = ?, settled = ? WHERE name = ?", (change.position, settled, lane)
            )
            if update.rowcount == 0:
                continue  # forgotten meanwhile: what it parked would be kept for nobody
            if change.unparked:
                positions = orjson.dumps(list(change.unparked)).decode()
                db.execute(sql.DELETE_PARKED, (lane, positions))
                gone = db.execute(sql.DELETE_LEFT_BEHIND, (positions, ends.trimmed)).rowcount
                if gone:
                    ends = Ends(ends.trimmed, ends.deleted + gone, *times(db, ends.trimmed))
                    save_ends(db, ends, self.head)
            if change.parked:
                db.execute(sql.INSERT_PARKED, (lane, array(change.parked.values())))
        return ends

    def _reach_back(self, ends: Ends, lanes: dict[str, tuple[int, int]], now: int) -> Ends:
        """A lane that began, or came back, behind where retention has been holds what was left there for others."""
        low = min(self._held(lanes, now), default=ends.trimmed)
        if low >= ends.trimmed:
            return ends
        back = Ends(low, ends.deleted, *times(self._db, low))
        save_ends(self._db, back, self.head)
        return back

    def _held(self, lanes: dict[str, tuple[int, int]], now: int) -> list[int]:
        return [position for position, absent_ms in lanes.values() if self._limits.holds(absent_ms, now)]

    def _retain(self, ends: Ends, lanes: dict[str, tuple[int, int]], appended: int, now: int, done: Done) -> Ends:
        held = self._held(lanes, now)
        over = bool(held) and self._bytes > self._limits.trim_bytes
        low = min(held, default=done.head)
        cutoff = _NEVER_MS if over else now - self._limits.retention_ms
        if low <= ends.trimmed or ends.next_ms is None or ends.next_ms >= cutoff:
            return ends
        rows = max(SLICE, 2 * appended)
        kept = trim(self._db, ends, low, cutoff, rows)
        if kept.trimmed != ends.trimmed:
            done.trimmed = kept.deleted - ends.deleted
            done.more = kept.next_ms is not None and kept.trimmed < low and kept.next_ms < cutoff
            save_ends(self._db, kept, done.head)
        return kept

    def _tell(self, batch: Batch, done: Done) -> None:
        if batch.controls:
            done.lanes, done.tallies = read_lanes(self._db), self._read_tallies()
            return
        changed = [lane for lane, c in batch.settles.items() if c.parked or c.unparked or c.dead]
        for lane in [*changed, INGRESS] if batch.letters else changed:
            done.tallies |= self._read_tallies("WHERE lane = ?", lane)

    def _read_tallies(self, where: str = "", *values: str) -> dict[str, Tally]:
        rows = self._db.execute(f"SELECT lane, parked, dead, dead_bytes FROM tallies {where}", values).fetchall()  # noqa: S608 - ours
        return {lane: Tally(*numbers) for lane, *numbers in rows}

    def _account(self, envelopes: list[Envelope], batch: Batch, now: int) -> None:
        written = sum([len(envelope.json) + ROW_OVERHEAD for envelope in envelopes])
        self._bytes += written
        self._unmeasured += written
        self._new_bytes += written
        self._pages += 4 + written // schema.PAGE_SIZE
        if batch.letters or batch.controls or any(c.parked or c.dead for c in batch.settles.values()):
            self._pages += 8
        full = self._disk_full or self._bytes > self._limits.trim_bytes
        if full or self._unmeasured >= MEASURE_BYTES or abs(now - self._measured_ms) >= MEASURE_MS:
            self._measure(now)

    def _measure(self, now: int) -> None:
        (pages,) = self._db.execute(
            "SELECT (SELECT page_count FROM pragma_page_count) - (SELECT freelist_count FROM pragma_freelist_count)"
        ).fetchone()
        log = self._path.with_name(self._path.name + "-wal")
        self._bytes = pages * schema.PAGE_SIZE + (log.stat().st_size if log.exists() else 0)
        self._unmeasured, self._measured_ms = 0, now
        free = shutil.disk_usage(self._path.parent).free
        self._disk_full = free < self._limits.disk_floor_bytes
        if not self._disk_full:
            ballast.restore(self._path, self._limits, free)

    def _done(self, done: Done) -> Done:
        done.events = self.head - self._ends.deleted
        done.bytes, done.oldest_ms, done.disk_full = self._bytes, self._ends.oldest_ms, self._disk_full
        return done

    def _now_ms(self) -> int:
        return int(self._clock.wall() * 1000)
