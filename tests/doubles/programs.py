"""The port for programs, over one sink, without a router around it."""

import io
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from router.clock import Clock, SystemClock
from router.ingress.client_address import Network
from router.settings.model import WsSettings
from router.subscribers.groups import Group
from router.subscribers.server import SubscriberServer
from router.telemetry import Telemetry
from router.telemetry.logs import make_logger
from sinks.feishu_ws.settings import FeishuWsSettings
from sinks.feishu_ws.sink import FeishuWsSink
from tests.doubles.program import Behave, Program, well

APP_ID, SECRET = "cli_0123456789abcdef", "secret-of-sixteen-characters"


@dataclass
class Port:
    """server: listens at `domain`; sink: open; log: JSON lines."""

    server: SubscriberServer
    sink: FeishuWsSink
    log: io.StringIO
    telemetry: Telemetry
    domain: str = ""
    programs: list[Program] = field(default_factory=list)

    def program(self, behave: Behave = well, app_id: str = APP_ID, secret: str = SECRET) -> Program:
        made = Program(self.domain, app_id, secret, behave)
        self.programs.append(made)
        return made

    def counted(self, text: str) -> float:
        """A metric's value by its name and labels."""
        lines = self.telemetry.exposition().decode().splitlines()
        return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(text + " ")), 0.0)


def settings_of(**options: object) -> FeishuWsSettings:
    return FeishuWsSettings.model_validate({"type": "feishu_ws", "app_id": APP_ID, "app_secret": SECRET, **options})


@asynccontextmanager
async def port(
    ws: WsSettings | None = None, clock: Clock | None = None, trusted: Sequence[Network] = (), **options: object
) -> AsyncIterator[Port]:
    """options: of the sink. Whatever programs were made are stopped, too."""
    settings, log = settings_of(**options), io.StringIO()
    telemetry = Telemetry(make_logger("debug", "json", log))
    sink = FeishuWsSink(settings)
    await sink.open()
    group = Group("s", settings.app_id, settings.plain_secrets, sink.pool)
    ws = ws or WsSettings(listen="127.0.0.1:0")
    server = SubscriberServer(ws, [group], telemetry, clock or SystemClock(), trusted)
    made = Port(server, sink, log, telemetry)
    [address] = await server.start()
    made.domain = f"{'https' if ws.tls.cert_file else 'http'}://{address}"
    try:
        yield made
    finally:
        for program in made.programs:
            await program.stop()
        await server.close()
        await sink.close()
