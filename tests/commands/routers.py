"""A router's admin port over operations in memory, in a thread of its own, for commands to talk to."""

import asyncio
import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
from click.testing import CliRunner, Result
from pydantic import SecretStr

from router.admin.health import Condition
from router.admin.server import AdminServer
from router.cli import PROGRAM, cli
from router.settings.model import AdminSettings
from router.telemetry import Telemetry
from router.telemetry.logs import make_logger
from tests.doubles.operators import MemoryOperators


class Running:
    """A router that runs. environ: the settings that it and the commands have."""

    def __init__(self, operators: MemoryOperators, folder: Path) -> None:
        self.operators = operators
        self.environ = {"FER_DATA_DIR": str(folder), "FER_SINKS": "iam,bus"}
        self.environ |= {f"FER_SINK__{name}__TYPE": "stdout" for name in ("IAM", "BUS")}
        self.log = io.StringIO()

    def call(self, *args: str, **environ: str) -> Result:
        return call(*args, **self.environ | environ)

    @property
    def actions(self) -> list[str]:
        """What it logged that operators did."""
        lines = [orjson.loads(line) for line in self.log.getvalue().splitlines()]
        return [f"{line['action']} {line['what']}" for line in lines if line["event"] == "operator_action"]


def call(*args: str, **environ: str) -> Result:
    """A command in this process."""
    return CliRunner().invoke(cli, args, prog_name=PROGRAM, env=environ)


@contextmanager
def running(
    operators: MemoryOperators, folder: Path, listen: str = "127.0.0.1:0", token: str = "", *, beside: bool = True
) -> Iterator[Running]:
    """A router with those operations. beside: whether it has the socket in its data directory."""
    router = Running(operators, folder)
    ready, stop = threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        settings = AdminSettings(listen=listen, token=SecretStr(token) if token else None)
        telemetry = Telemetry(make_logger("info", "json", router.log))
        path = folder / "admin.sock" if beside else None
        server = AdminServer(settings, telemetry, Condition, operators=operators, socket_path=path)
        (address,) = await server.start()
        router.environ["FER_ADMIN__LISTEN"] = address
        loops.append(asyncio.get_running_loop())
        ready.set()
        try:
            await stop.wait()
            await server.stop_accepting(5)
        finally:
            await server.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert ready.wait(10)
        yield router
    finally:
        loops[0].call_soon_threadsafe(stop.set)
        thread.join(10)
        assert not thread.is_alive()
