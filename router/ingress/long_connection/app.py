"""All connections of one app, and their change to other credentials."""

import asyncio
from collections.abc import Sequence

from router.feishu.discovery import TOO_MANY
from router.ingress.intake import Intake
from router.ingress.long_connection.connection import Connection, Role
from router.ingress.long_connection.dialer import Dialer
from router.ingress.long_connection.handler import IntakeHandler
from router.ingress.long_connection.status import ConnectionRow
from router.ingress.long_connection.tools import Tools
from router.settings.model import AppSettings, IngressSettings

STAGGER_SECONDS = 0.5
"""Between the first attempts of an app's connections."""
RENEW_SECONDS = 30.0
"""How long each connection with new credentials may take to stand; the first one must by then."""

ROOM_SECONDS = 1.0
"""From a connection's end until Feishu has surely counted it out."""


class CredentialsError(Exception):
    """New credentials don't work; what there is goes on with the old ones. The text says why, without a secret."""


class AppConnections:
    """Of one app. Runs once."""

    def __init__(self, name: str, app: AppSettings, intake: Intake, limits: IngressSettings, tools: Tools) -> None:
        self._name = name
        self._app = app
        self._handler = IntakeHandler(name, app, intake, limits, tools)
        self._budget = limits.budget_seconds
        self._tools = tools
        self._dialer = Dialer(app)
        self._group = asyncio.TaskGroup()
        self._tasks: dict[Connection, asyncio.Task[None]] = {}
        self._shown: list[Connection] = []
        self._ending = False

    async def run(self) -> None:
        """Bring all connections up and keep them, until cancelled. Raises what a bug in one of them raised."""
        numbers = range(self._app.connections)
        async with self._group:
            self._shown = [self._begin(number, self._dialer, number * STAGGER_SECONDS) for number in numbers]
            await asyncio.Event().wait()

    def rows(self) -> Sequence[ConnectionRow]:
        """How they are, in their order."""
        return [connection.row() for connection in self._shown]

    async def use(self, app: AppSettings) -> None:
        """Go on with the credentials of these settings: each new connection comes up before its old one ends.

        Raises CredentialsError when none comes up; then nothing has changed.
        """
        if not _connects_otherwise(self._app, app):
            self._app = app
            self._handler.use(app)
            return
        dialer, old = Dialer(app), self._dialer
        first = self._begin(0, dialer)
        why = await self._unusable(first)
        if why:
            await self._end([first])
            await dialer.close()
            raise CredentialsError(why)
        self._app, self._dialer = app, dialer
        self._handler.use(app)
        for number in range(len(self._shown)):
            following = self._begin(number, dialer) if number else first
            await self._tried(following)
            before, self._shown[number] = self._shown[number], following
            await self._end([before])  # so that there is never more than one too many
            if crowded := [each for each in self._shown if each.refused_by == str(TOO_MANY)]:
                await self._tools.clock.sleep(ROOM_SECONDS)
                for each in crowded:
                    each.hurry()
        await old.close()

    async def stop(self, timeout: float) -> int:
        """Acknowledge what came and close all, that many seconds at most. Returns the connections left."""
        self._ending = True
        return await self._end(list(self._tasks), timeout)

    async def close(self) -> None:
        """Close what `stop` left, or what was never started. Idempotent."""
        self._ending = True
        await self._dialer.close()

    def _begin(self, number: int, dialer: Dialer, delay: float = 0.0) -> Connection:
        connection = Connection(Role(self._name, number + 1), dialer, self._handler, self._budget, self._tools)
        if self._ending:
            connection.stop()
        task = self._tasks[connection] = self._group.create_task(connection.run(delay))
        task.add_done_callback(lambda _: self._tasks.pop(connection))
        return connection

    async def _end(self, connections: Sequence[Connection], timeout: float | None = None) -> int:
        for connection in connections:
            connection.stop()
        tasks = [self._tasks[connection] for connection in connections if connection in self._tasks]
        return len((await asyncio.wait(tasks, timeout=timeout))[1]) if tasks else 0

    async def _tried(self, connection: Connection) -> None:
        try:
            async with asyncio.timeout(RENEW_SECONDS):
                await connection.tried()
        except TimeoutError:
            pass

    async def _unusable(self, connection: Connection) -> str:
        """Why the credentials can't be used, "" when they can: they can, too, where only the connection is one too many."""
        await self._tried(connection)
        row = connection.row()
        if row.state == "connected" or connection.refused_by == str(TOO_MANY):
            return ""
        return row.reason or f"no connection stood within {RENEW_SECONDS:g} s"


def _connects_otherwise(old: AppSettings, new: AppSettings) -> bool:
    """A certificate's file that has the same name may have another content."""
    return (old.app_secret, old.proxy) != (new.app_secret, new.proxy) or new.tls_ca_file is not None
