"""The connections of all apps whose events come this way."""

import asyncio
from collections.abc import Sequence

from router.clock import Clock
from router.ingress.intake import Intake
from router.ingress.long_connection.app import AppConnections
from router.ingress.long_connection.status import ConnectionRow
from router.ingress.long_connection.tools import Tools
from router.settings.apps import LONG_CONNECTION
from router.settings.model import AppSettings, Settings
from router.telemetry import Telemetry


class LongConnections:
    """Holds them while the router runs."""

    def __init__(self, settings: Settings, intake: Intake, telemetry: Telemetry, clock: Clock) -> None:
        tools = Tools(telemetry, clock)
        self._apps = {
            name: AppConnections(name, app, intake, settings.ingress, tools)
            for name, app in settings.apps.items()
            if app.mode == LONG_CONNECTION
        }

    @property
    def apps(self) -> Sequence[str]:
        """Names of the apps that have any."""
        return list(self._apps)

    async def run(self) -> None:
        """Bring them up and keep them, until cancelled. Raises what a bug in one of them raised."""
        async with asyncio.TaskGroup() as group:
            for app in self._apps.values():
                group.create_task(app.run())
            await asyncio.Event().wait()

    def rows(self) -> Sequence[ConnectionRow]:
        """How each connection is."""
        return [row for app in self._apps.values() for row in app.rows()]

    async def use(self, name: str, app: AppSettings) -> None:
        """Have an app go on with other credentials. Raises CredentialsError, and then nothing has changed."""
        if name in self._apps:
            await self._apps[name].use(app)

    async def stop(self, timeout: float) -> int:
        """Acknowledge what came and close all, that many seconds at most. Returns the connections left."""
        return sum(await asyncio.gather(*(app.stop(timeout) for app in self._apps.values())))

    async def close(self) -> None:
        """Close what is open. Idempotent."""
        for app in self._apps.values():
            await app.close()
