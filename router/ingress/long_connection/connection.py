"""One connection of an app: made, kept, lost and made again, until it is told to end."""

import asyncio
from typing import Any, NamedTuple

from router.feishu.discovery import ClientConfig, Refusal, Verdict
from router.ingress.long_connection.dialer import Dialer
from router.ingress.long_connection.failures import AttemptError
from router.ingress.long_connection.handler import Handler
from router.ingress.long_connection.session import Lost, Session
from router.ingress.long_connection.status import ConnectionRow, State
from router.ingress.long_connection.stopping import unless
from router.ingress.long_connection.tools import Tools
from router.ingress.long_connection.waits import Waits
from router.telemetry import facts

UNTOLD = ClientConfig(reconnect_interval=15.0, reconnect_nonce=3.0)
"""Until Feishu has said how: what fails before is mostly our own network, which may be there again in a moment."""


class Role(NamedTuple):
    """Whose connection it is. app: its name in the settings; number: among the app's connections, from 1."""

    app: str
    number: int


class Connection:
    """Runs once. refused_by: the code of the refusal that ended the newest attempt, "" when it went well."""

    def __init__(self, role: Role, dialer: Dialer, handler: Handler, budget_seconds: float, tools: Tools) -> None:
        self.role = role
        self.refused_by = ""
        self._dialer = dialer
        self._handler = handler
        self._budget = budget_seconds
        self._tools = tools
        self._waits = Waits(tools.random)
        self._config = UNTOLD
        self._session: Session | None = None
        self._stop = asyncio.Event()
        self._hurried = asyncio.Event()
        self._tried = asyncio.Event()
        self._row = ConnectionRow(role.app, role.number, "connecting", "", "", tools.wall_ms())

    async def run(self, delay: float = 0.0) -> None:
        """Until `stop`. delay: seconds before the first attempt."""
        await unless(self._stop, self._tools.clock.sleep(delay))
        while not self._stop.is_set():
            self._enter("connecting", reason=self._row.reason)
            wait = await self._once()
            self._tried.set()
            if wait is not None:
                self._row = self._row._replace(next_ms=self._tools.wall_ms() + int(wait * 1000))
                self._hurried.clear()
                await unless(self._stop, unless(self._hurried, self._tools.clock.sleep(wait)))
        self._enter("stopped")
        self._tried.set()

    def stop(self) -> None:
        """Have it acknowledge what came, and end. `run` returns then."""
        self._stop.set()

    def hurry(self) -> None:
        """If it waits for its next attempt, have it wait no longer."""
        self._hurried.set()

    async def tried(self) -> None:
        """Wait until the first attempt went well, or didn't."""
        await self._tried.wait()

    def row(self) -> ConnectionRow:
        """How it is."""
        session, row = self._session, self._row
        if session is None:
            return row
        return row._replace(
            events=row.events + session.events,
            last_event_ms=session.last_event_ms or row.last_event_ms,
            last_pong_ms=session.last_pong_ms or row.last_pong_ms,
        )

    async def _once(self) -> float | None:
        """Connect, and stay connected as long as it lasts. Returns the seconds to wait; None when it was stopped."""
        try:
            dialed = await unless(self._stop, self._dialer.dial())
        except AttemptError as error:
            return self._refused(error.refusal)
        if dialed is None:
            return None
        endpoint, self.refused_by = dialed.endpoint, ""
        self._enter("connected", endpoint.connection_id)
        self._session = Session(self.role.app, dialed.socket, endpoint, self._handler, self._budget, self._tools)
        self._tell(facts.CONNECTED, id=endpoint.connection_id)
        self._tried.set()
        lost = await self._session.run(self._stop)
        if self._session.last_pong_ms or self._session.events:  # who lets us in and says nothing is nobody
            self._waits.connected()
        self._config, self._row, self._session = self._session.config, self.row(), None
        return None if self._stop.is_set() else self._lost(lost)

    def _refused(self, refusal: Refusal) -> float:
        self.refused_by = refusal.code
        soon = refusal.verdict is Verdict.SOON
        wait = self._waits.after(refusal.verdict, self._config)
        self._enter("waiting" if soon else "refused", reason=refusal.text)
        self._tell(
            facts.UNCONNECTED if soon else facts.CONNECTION_REFUSED,
            code=refusal.code,
            verdict=refusal.verdict.value,
            reason=refusal.text,
            again_seconds=round(wait, 1),
        )
        return wait

    def _lost(self, lost: Lost) -> float:
        wait = self._waits.after(Verdict.SOON, self._config)
        self._tell(
            facts.DISCONNECTED, reason=lost.reason, detail=lost.detail, id=self._row.id, again_seconds=round(wait, 1)
        )
        self._enter("waiting", reason=lost.detail)
        return wait

    def _enter(self, state: State, id_: str = "", reason: str = "") -> None:
        self._row = self._row._replace(state=state, id=id_, reason=reason, since_ms=self._tools.wall_ms(), next_ms=0)

    def _tell(self, fact: facts.Fact, **fields: Any) -> None:
        self._tools.telemetry.emit(fact, app=self.role.app, connection=self.role.number, **fields)
