"""The one path that every push takes, however it arrived: journal or quarantine, facts, answer."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from router.clock import Clock
from router.envelope import Envelope
from router.feishu.results import Challenge, Event, Quarantined, Refused, Result
from router.ingress.load import Load
from router.ingress.replies import (
    BUSY,
    CALLBACK,
    JOURNAL_FAILED,
    JOURNAL_FULL,
    SUCCESS,
    Reply,
    refusal,
)
from router.journal.contract import (
    INGRESS,
    DeadLetter,
    JournalError,
    JournalFullError,
    Verdict,
)
from router.telemetry import Tally, Telemetry, facts


class Store(Protocol):
    """What the intake needs of a journal; see `router.journal.contract.Journal`."""

    def append(self, envelope: Envelope) -> asyncio.Future[Verdict]:
        """Join the next commit."""

    def quarantine(self, letter: DeadLetter) -> asyncio.Future[None]:
        """Keep a push that was not understood."""


class Intake:
    """Turns what a push is into what it is answered, and says 200 only on the strength of a commit that is done."""

    def __init__(
        self,
        journal: Store,
        telemetry: Telemetry,
        clock: Clock,
        load: Load,
        wanted: Callable[[Envelope], bool] = lambda _event: True,
    ) -> None:
        self.load = load
        self._wanted = wanted
        self._journal = journal
        self._telemetry = telemetry
        self._clock = clock
        self._tells_events = telemetry.logs(facts.STORED)
        self._tallies: dict[tuple[str, Verdict], Tally] = {}

    def take(self, app: str, result: Result, begun: float, client: Callable[[], str]) -> Reply | asyncio.Future[Reply]:
        """The answer, or a future of it that resolves when the journal has settled.

        begun: when the first byte came (the clock's monotonic seconds); client: names the sender when a refusal needs it.
        The future never fails. Whoever waits may set its result (too late) or cancel it: the commit goes on and is
        counted all the same.
        """
        if isinstance(result, Event):
            return self._store(app, result, begun)
        if isinstance(result, Challenge):
            self._telemetry.emit(facts.CHALLENGED, app=app)
            return Reply(200, result.answer)
        if isinstance(result, Refused):
            return self.refuse(app, refusal(result.status, result.reason), client)
        return self._quarantine(app, result)

    def refuse(self, app: str, reply: Reply, client: Callable[[], str], **fields: Any) -> Reply:
        """Count a refusal and give its answer back."""
        self._telemetry.emit(
            facts.REFUSED, app=app, reason=reply.reason, status=str(reply.status), client=client(), **fields
        )
        return reply

    def _store(self, app: str, event: Event, begun: float) -> Reply | asyncio.Future[Reply]:
        envelope = event.envelope
        return self._commit(
            app,
            len(envelope.json),
            partial(self._journal.append, envelope),
            partial(self._stored, app, event, begun),
        )

    def _quarantine(self, app: str, push: Quarantined) -> Reply | asyncio.Future[Reply]:
        now_ms = int(self._clock.wall() * 1000)
        letter = DeadLetter(
            lane=INGRESS,
            position=None,
            event_id=push.event_id,
            type=push.type,
            subject=None,
            body=push.body,
            reason=push.reason,
            detail=push.detail,
            attempts=0,
            first_failed_ms=now_ms,
            last_failed_ms=now_ms,
            dead_ms=now_ms,
            app=push.app_id,
        )
        return self._commit(
            app,
            len(push.body),
            partial(self._journal.quarantine, letter),
            partial(self._quarantined, app, push),
        )

    def _commit(
        self, app: str, size: int, append: Callable[[], asyncio.Future[Any]], settled: Callable[[Any], Reply]
    ) -> Reply | asyncio.Future[Reply]:
        if not self.load.admits(size):
            return self.refuse(app, BUSY, _unnamed)
        try:
            commit = append()
        except JournalError as error:
            return self._unstored(app, error)
        answer: asyncio.Future[Reply] = commit.get_loop().create_future()
        self.load.enter(size)
        commit.add_done_callback(partial(self._settle, answer, app, size, settled))
        return answer

    def _settle(
        self,
        answer: asyncio.Future[Reply],
        app: str,
        size: int,
        settled: Callable[[Any], Reply],
        commit: asyncio.Future[Any],
    ) -> None:
        self.load.leave(size)
        error = asyncio.CancelledError("the journal gave the commit up") if commit.cancelled() else commit.exception()
        reply = self._unstored(app, error) if error is not None else settled(commit.result())
        if not answer.done():
            answer.set_result(reply)

    def _stored(self, app: str, event: Event, begun: float, verdict: Verdict) -> Reply:
        envelope = event.envelope
        fact = facts.STORED if verdict is Verdict.STORED else facts.DUPLICATE
        if verdict is Verdict.STORED:
            self._telemetry.durable.observe(self._clock.monotonic() - begun)
            if not self._wanted(envelope):
                self._telemetry.emit(facts.UNROUTED, type=envelope.type, id=envelope.id)
        if self._tells_events:
            self._telemetry.emit(fact, app=app, id=envelope.id, type=envelope.type, tenant=envelope.tenantkey)
        else:
            tally = self._tallies.get((app, verdict))
            if tally is None:
                tally = self._tallies[app, verdict] = self._telemetry.tally(fact, app=app)
            tally.count += 1
        return CALLBACK if event.callback else SUCCESS

    def _quarantined(self, app: str, push: Quarantined, _none: None) -> Reply:
        self._telemetry.emit(
            facts.QUARANTINED, app=app, reason=push.reason, step=push.step, id=push.event_id, type=push.type
        )
        return SUCCESS

    def _unstored(self, app: str, error: BaseException) -> Reply:
        """503: Feishu's own retry is spent on purpose. Whatever went wrong, nothing is durable, so nothing else is true."""
        if isinstance(error, JournalFullError):
            return self.refuse(app, JOURNAL_FULL, _unnamed, holder=error.holder)
        if isinstance(error, JournalError):
            return self.refuse(app, JOURNAL_FAILED, _unnamed)
        return self.refuse(app, JOURNAL_FAILED, _unnamed, error=type(error).__name__)


def _unnamed() -> str:
    """Where the sender is beside the point."""
    return ""
