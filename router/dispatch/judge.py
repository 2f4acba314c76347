"""What becomes of an event after a delivery: settled, tried again, dead, or held with its scope or sink."""

from collections.abc import Sequence
from dataclasses import replace

from router.dispatch.backoff import delay
from router.dispatch.breaker import Breaker
from router.dispatch.entry import Entry
from router.dispatch.history import remembered
from router.dispatch.holds import HeldScope, hold_key
from router.dispatch.ledger import Ledger
from router.dispatch.letters import copy_of, letter_of
from router.dispatch.outlet import Outlet
from router.dispatch.parking import Parking
from router.dispatch.parts import Parts
from router.journal.contract import Attempt, Parked
from router.telemetry import facts
from sinks.contract import Delivered, Outcome, Rejected, Retry, Unavailable

SCOPE_PROBE_MAX_SECONDS = 30.0
SUSPECT = Retry("unavailable", "another subject got through where this one found the scope unavailable")


class Judge:
    """Applies outcomes. delivered: events delivered in this run; misses: failures since the last of them."""

    def __init__(
        self,
        outlet: Outlet,
        breaker: Breaker,
        ledger: Ledger,
        parking: Parking,
        parts: Parts,
        delivered: facts.Fact = facts.DELIVERED,
    ) -> None:
        self.delivered = 0
        self.misses = 0
        self._delivered_fact = delivered
        self._sink = outlet.name
        self._retry = outlet.settings.retry
        self._copies_to = outlet.settings.dead_letters
        self.breaker = breaker
        self._ledger = ledger
        self._parking = parking
        self._failed = 0
        self._refused = 0
        self._telemetry, self._clock, self._jitter = parts.telemetry, parts.clock, parts.jitter

    def batch(self, batch: Sequence[Entry], outcomes: Sequence[Outcome]) -> tuple[list[Entry], Unavailable | None]:
        """Apply all outcomes of one delivery.

        Returns the events that go back to the front of the queue (of an unavailable sink, or not attempted because an
        earlier one of their key failed), and why the whole sink is unavailable, if it is.
        """
        back: list[Entry] = []
        failed: set[str] = set()
        unavailable: Unavailable | None = None
        delivered = 0
        for entry, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, Delivered):
                delivered += 1
                self._settle(entry)
                continue
            follows = entry.key is not None and entry.key in failed
            if entry.key is not None:
                failed.add(entry.key)
            if isinstance(outcome, Unavailable) and not (outcome.scope and entry.scope):
                if unavailable is None or (outcome.after or 0.0) > (unavailable.after or 0.0):
                    unavailable = outcome
                back.append(entry)
            elif follows and not isinstance(outcome, Rejected):
                back.append(entry)
            else:
                self._judge(entry, outcome)
        if delivered:
            self._count(batch, outcomes, delivered)
        self._record(delivered)
        return back, unavailable

    def fail(self, entry: Entry, outcome: Retry) -> None:
        """The event's own failure: park it, or bury it when it has had enough attempts while others got through."""
        parked = self._counted(entry, outcome)
        self.misses += 1
        self._failed += 1
        age = (parked.last_failed_ms - parked.first_failed_ms) / 1000
        counts = parked.attempts > (entry.parked.attempts if entry.parked else 0)
        if counts and (parked.attempts >= self._retry.max_attempts or age >= self._retry.max_age_seconds):
            self._bury(entry, parked, outcome.reason, outcome.detail)
            return
        retry = self._retry
        wait = delay(parked.tries, retry.initial_seconds, retry.max_seconds, outcome.after, self._jitter)
        self._parking.park_for_retry(entry, parked, wait, self.delivered)
        self._telemetry.emit(
            facts.RETRIED,
            sink=self._sink,
            reason=outcome.reason,
            event_id=entry.envelope.id,
            type=entry.envelope.type,
            detail=outcome.detail,
            attempts=parked.attempts,
            tries=parked.tries,
            next_seconds=round(wait, 3),
        )

    def _judge(self, entry: Entry, outcome: object) -> None:
        if isinstance(outcome, Retry):
            self.fail(entry, outcome)
        elif isinstance(outcome, Rejected):
            self.misses = 0  # it answers, so it is there
            self._refused += 1
            parked = self._counted(entry, Retry(outcome.reason, outcome.detail))
            attempts = replace(parked, attempts=(entry.parked.attempts if entry.parked else 0) + 1)
            self._bury(entry, attempts, outcome.reason, outcome.detail)
        elif isinstance(outcome, Unavailable):
            self._scope_unavailable(entry, outcome)
        else:
            self.fail(entry, Retry("raised", f"a sink gave {type(outcome).__name__} as an outcome"))

    def _settle(self, entry: Entry) -> None:
        self.delivered += 1
        self.misses = 0
        holds = self._parking.holds
        scope = holds.scopes.get(entry.scope) if holds.scopes else None
        if scope is not None:
            holds.cleared(scope, entry)
            if scope.half_open:
                holds.release_scope(entry.scope, self._clock.monotonic())
            elif entry.parked is not None and not entry.parked.scope:
                self._scope_available(entry.scope)
        if entry.parked is None:
            self._ledger.settle(entry.position)
            return
        if entry.parked.scope:
            self._scope_available(entry.parked.scope)
        self._parking.ended(entry.parked, gone=True)

    def _counted(self, entry: Entry, outcome: Retry) -> Parked:
        """The event's record with this failure in it. An attempt counts when another event got through since the last."""
        now_ms = int(self._clock.wall() * 1000)
        old = entry.parked or Parked(entry.position, hold_key(entry), "")
        mark = self._parking.mark(entry)
        others = self.delivered > 0 and self.misses == 0 if mark is None else self.delivered > mark
        return replace(
            old,
            attempts=old.attempts + (1 if others else 0),
            tries=old.tries + 1,
            first_failed_ms=old.first_failed_ms or now_ms,
            last_failed_ms=now_ms,
            reason=outcome.reason,
            detail=outcome.detail[:500],
            history=remembered(old.history, Attempt(now_ms, outcome.reason, outcome.detail)),
        )

    def _bury(self, entry: Entry, parked: Parked, reason: str, detail: str) -> None:
        envelope = entry.envelope
        letter = letter_of(self._sink, entry, parked, reason, detail)
        self._ledger.bury(letter, copy_of(letter) if self._copies_to else None)
        if entry.parked is not None:
            self._parking.ended(entry.parked, gone=True)
        self._telemetry.emit(
            facts.DEAD,
            sink=self._sink,
            reason=reason,
            event_id=envelope.id,
            type=envelope.type,
            detail=detail,
            attempts=parked.attempts,
            tries=parked.tries,
        )

    # One scope of the sink

    def _scope_unavailable(self, entry: Entry, outcome: Unavailable) -> None:
        holds = self._parking.holds
        scope = entry.scope  # what a plug-in calls it counts for nothing: order is kept within what `Sink.scope` says
        self._telemetry.emit(
            facts.UNAVAILABLE, sink=self._sink, reason=outcome.reason, scope=scope, detail=outcome.detail
        )
        if entry.parked is not None and entry.parked.scope:
            self._probe_failed(entry, entry.parked, outcome)
            return
        key = holds.keys.get(hold_key(entry))
        if entry.parked is not None and key is not None and key.blamed:
            key.blamed = False
            self.fail(entry, SUSPECT)
            return
        hold = holds.scopes.get(scope)
        if hold is None or hold.half_open:
            hold = holds.scopes.setdefault(scope, HeldScope())
            hold.half_open = False
            hold.failed = True
            hold.tries += 1
            hold.due = self._clock.monotonic() + self._pause(hold.tries, outcome.after)
        if entry.parked is None:
            self._parking.park_in_scope(entry, scope)
        else:  # the first of a held key: it stays that, and waits for the scope
            hold.accusers.add(hold_key(entry))
            wait = max(0.0, hold.due - self._clock.monotonic())
            self._parking.park_for_retry(entry, entry.parked, wait, self.delivered)

    def _probe_failed(self, entry: Entry, parked: Parked, outcome: Unavailable) -> None:
        hold = self._parking.holds.scopes[parked.scope]
        if hold.probing and hold.through:
            self.fail(entry, SUSPECT)
            return
        if not hold.failed:
            hold.tries += 1
            hold.due = self._clock.monotonic() + self._pause(hold.tries, outcome.after)
            hold.failed = True
        if hold.probing and (hold.loaded > 1 or hold.helped):  # the other probe is still to come
            hold.suspects.append(entry)
        self._parking.ended(parked, gone=False)

    def _scope_available(self, scope: str) -> None:
        hold = self._parking.holds.scopes[scope]
        hold.tries = 0
        if not hold.probing:
            return
        hold.failed, hold.through = False, True
        suspects, hold.suspects = hold.suspects, []
        for entry in suspects:
            self._parking.reloaded(hold)
            self.fail(entry, SUSPECT)

    def _record(self, delivered: int) -> None:
        failed, through = self._failed, delivered + self._refused
        if failed or through:
            after = min(failed, self.misses) if through else failed
            self.breaker.record(through, after, failed - after)
            self._failed = self._refused = 0

    def _pause(self, tries: int, after: float | None) -> float:
        pause = delay(tries, 0.5, SCOPE_PROBE_MAX_SECONDS, random=lambda: 0.5 + self._jitter() / 2)
        return max(pause, min(after or 0.0, self._retry.max_seconds))

    def _count(self, batch: Sequence[Entry], outcomes: Sequence[Outcome], delivered: int) -> None:
        self._telemetry.emit(self._delivered_fact, delivered, **self._delivered_fields(batch, outcomes))

    def _delivered_fields(self, batch: Sequence[Entry], outcomes: Sequence[Outcome]) -> dict[str, object]:
        if not self._telemetry.logs(self._delivered_fact):
            return {"sink": self._sink}
        ids = [
            entry.envelope.id for entry, outcome in zip(batch, outcomes, strict=True) if isinstance(outcome, Delivered)
        ]
        return {"sink": self._sink, "event_ids": ids}
