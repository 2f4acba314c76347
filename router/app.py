"""The composition root: builds everything from settings and unwinds it in reverse. The one file that names concrete classes."""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from router.admin.health import Condition
from router.admin.server import AdminServer
from router.clock import Clock, SystemClock
from router.dispatch.dispatcher import Dispatcher
from router.dispatch.parts import Parts
from router.ingress.client_address import parse_networks
from router.ingress.intake import Intake
from router.ingress.load import Load
from router.ingress.long_connection.client import LongConnections
from router.ingress.webhook import WebhookServer
from router.journal.contract import JournalFailedError
from router.journal.sqlite import SqliteJournal
from router.lifecycle.drain import drain_lanes
from router.lifecycle.signals import Stop
from router.lifecycle.starting import StartError, cannot_listen, cannot_store
from router.lifecycle.supervisor import Supervisor, WorkerFailedError
from router.operations.letters import Letters
from router.operations.operators import RouterOperators
from router.operations.sinks import Sinks
from router.readings import register_connections, register_readings, register_subscribers
from router.rotation import Roads, Rotation, takers
from router.settings import Sections
from router.settings.model import Settings
from router.subscribers.groups import Group
from router.subscribers.server import SubscriberServer
from router.subscribers.status import ProgramRow
from router.telemetry import Telemetry, facts
from sinks import registry
from sinks.contract import Sink
from sinks.feishu_ws.settings import FeishuWsSettings
from sinks.feishu_ws.sink import FeishuWsSink
from sinks.settings import SinkSettings

CLOSE_SECONDS = 10.0
HANG_UP_SECONDS = 1.5
"""A long connection takes leave, which the webhook's don't."""


@dataclass(frozen=True, slots=True)
class Listening:
    """Where the router listens, `host:port` each."""

    webhook: list[str]
    admin: list[str]
    programs: list[str]


class Router:
    """The whole router. `run` once."""

    def __init__(self, settings: Settings, telemetry: Telemetry, clock: Clock | None = None) -> None:
        self._settings = settings
        self._telemetry = telemetry
        self._clock = clock or SystemClock()
        self._draining = False
        self._journal = SqliteJournal(settings.journal_file, settings.journal, telemetry, self._clock)
        limits = settings.ingress
        load = Load(limits.max_in_flight, limits.max_in_flight_bytes)
        sinks: dict[str, Sink] = {
            name: registry.find(sink.type).build(name, sink) for name, sink in settings.sinks.items()
        }
        parts = Parts(self._journal, settings.dispatch, telemetry, self._clock)
        self._dispatcher = Dispatcher(sinks, settings.sinks, parts)
        self._subscribers = self._make_subscribers(sinks) if settings.serves_programs else None
        intake = Intake(self._journal, telemetry, self._clock, load, self._dispatcher.wanted)
        self._webhook = WebhookServer(settings, intake, telemetry, self._clock)
        self._long_connections = LongConnections(settings, intake, telemetry, self._clock)
        self._admin = self._make_admin() if settings.admin.listen else None
        self._rotation: Rotation | None = None
        register_readings(telemetry, self._journal, self._dispatcher.readings, self._webhook)
        register_connections(telemetry, self._long_connections.rows, self._clock)
        if self._subscribers is not None:
            register_subscribers(telemetry, self._subscribers.groups)

    def rotate(self, environ: Mapping[str, str], sections: Sections) -> None:
        """Have changed keys, passwords and certificates taken up while it runs. Before `run`.

        sections: what `environ` gave, and this router was built from.
        """
        roads = Roads(self._webhook, self._long_connections, self._subscribers)
        taken_by = takers(self._settings, roads, self._admin, self._replace)
        self._rotation = Rotation(environ, sections, taken_by, self._telemetry, self._clock)

    async def run(self, stop: Stop, started: Callable[[Listening], None]) -> None:
        """Start, serve until `stop` is set, drain.

        Raises JournalOpenError and StartError when it can't start, WorkerFailedError when a part died under it.
        """
        async with AsyncExitStack() as stack:
            await self._open_journal()
            stack.push_async_callback(self._close, "journal", self._journal.close)
            supervisor = Supervisor(self._telemetry, told=JournalFailedError)
            await self._dispatcher.register()
            for name, outlet in self._dispatcher.outlets.items():
                stack.push_async_callback(self._close, f"sink {name}", outlet.close)
            stack.push_async_callback(self._close, "long connections", self._long_connections.close)
            stack.push_async_callback(supervisor.cancel, CLOSE_SECONDS)
            listening = await self._listen(stack)
            supervisor.run("journal", self._watch_journal())
            supervisor.run("webhook", self._webhook.watch())
            supervisor.run("long connections", self._long_connections.run())
            if self._admin is not None:
                supervisor.run("admin port", self._admin.watch())
            if self._subscribers is not None:
                supervisor.run("subscribers", self._subscribers.watch())
                supervisor.run("subscribers: look", self._subscribers.look())
            for name, work in self._dispatcher.workers():
                supervisor.run(name, work)
            if self._rotation is not None:
                supervisor.run("rotation", self._rotation.run())
            gc.freeze()  # what is there now stays: no collection looks at it again
            self._telemetry.emit(facts.STARTED, **self._facts(listening))
            for name, sink in self._settings.sinks.items():
                for remark in registry.find(sink.type).remarks(sink):
                    self._telemetry.emit(facts.SETTINGS_REMARK, sink=name, remark=remark)
            started(listening)
            await supervisor.watch(stop)
            await self._drain(0.0 if stop.by_hand else self._settings.drain.accept_seconds)
            supervisor.check()
        self._telemetry.emit(facts.STOPPED)

    def _make_admin(self) -> AdminServer:
        journal, dispatcher, telemetry = self._journal, self._dispatcher, self._telemetry
        letters = Letters(journal, dispatcher, self._webhook.keyring, telemetry, self._clock)
        sinks = Sinks(journal, dispatcher, telemetry)
        programs = self._subscribers.rows if self._subscribers is not None else list[ProgramRow]
        operators = RouterOperators(journal, dispatcher, letters, sinks, self._long_connections.rows, programs)
        return AdminServer(
            self._settings.admin,
            telemetry,
            self._condition,
            self._clock,
            operators=operators,
            socket_path=self._settings.admin_socket,
        )

    def _make_subscribers(self, sinks: Mapping[str, Sink]) -> SubscriberServer:
        groups = []
        for name, sink in sinks.items():
            settings = self._settings.sinks[name]
            if isinstance(sink, FeishuWsSink) and isinstance(settings, FeishuWsSettings):
                sink.pool.slots.changed = self._dispatcher.outlets[name].hurry
                groups.append(Group(name, settings.app_id, settings.plain_secrets, sink.pool))
        trusted = parse_networks(self._settings.ingress.trusted_proxies)
        return SubscriberServer(self._settings.ws, groups, self._telemetry, self._clock, trusted)

    async def _replace(self, name: str, settings: SinkSettings) -> None:
        sink = registry.find(settings.type).build(name, settings)
        if isinstance(sink, FeishuWsSink) and isinstance(settings, FeishuWsSettings) and self._subscribers is not None:
            sink.pool = self._subscribers.use_secrets(name, settings.plain_secrets)
        self._dispatcher.outlets[name].replace(sink)

    async def _open_journal(self) -> None:
        try:
            await self._journal.open()
        except OSError as error:
            raise cannot_store(self._settings.data_dir, error) from error

    async def _listen(self, stack: AsyncExitStack) -> Listening:
        admin: list[str] = []
        if self._admin is not None:
            stack.push_async_callback(self._close, "admin port", self._admin.close)
            admin = await _bind("FER_ADMIN__LISTEN", self._settings.admin.listen, self._admin.start)
        programs: list[str] = []
        if self._subscribers is not None:
            stack.push_async_callback(self._close, "subscribers", self._subscribers.close)
            programs = await _bind("FER_WS__LISTEN", self._settings.ws.listen, self._subscribers.start)
        stack.push_async_callback(self._close, "webhook", self._webhook.close)
        return Listening(await _bind("FER_LISTEN", self._settings.listen, self._webhook.start), admin, programs)

    async def _drain(self, accept_seconds: float) -> None:
        lanes_seconds = self._settings.drain.lanes_seconds
        self._draining = True
        self._telemetry.emit(facts.DRAINING, accept_seconds=accept_seconds, lanes_seconds=lanes_seconds)
        self._webhook.drain()
        if self._subscribers is not None:
            self._subscribers.drain()
        await self._clock.sleep(accept_seconds)
        patience = self._settings.ingress.budget_seconds + 1.0
        left = await asyncio.gather(
            self._webhook.stop_accepting(patience), self._long_connections.stop(patience + HANG_UP_SECONDS)
        )
        for road, count in zip(("webhook", "long connections"), left, strict=True):
            if count:
                self._telemetry.emit(facts.LAGGARD, sink=road, connections=count)
        await drain_lanes(self._dispatcher.drain(), lanes_seconds, self._telemetry)

    async def _watch_journal(self) -> None:
        raise await self._journal.wait_failed()

    async def _close(self, what: str, close: Callable[[], Awaitable[object]]) -> None:
        """Every clean-up runs, and has an end: one that fails or hangs must not keep the others from theirs."""
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await close()
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - a plug-in's close() may raise anything
            self._telemetry.emit(facts.CLEANUP_FAILED, part=what, error=repr(error))

    def _condition(self) -> Condition:
        failed = self._journal.failed
        if failed is not None:
            return Condition(dead=f"the journal failed: {failed}")
        if self._draining:
            return Condition(unready="draining")
        if not self._webhook.listening:
            return Condition(unready="not listening yet")
        return Condition(unready=self._journal.full)

    def _facts(self, listening: Listening) -> dict[str, Any]:
        sinks = {
            name: f"{sink.type}: {registry.find(sink.type).describe(sink)}"
            for name, sink in self._settings.sinks.items()
        }
        roads = {"webhook": listening.webhook, "admin": listening.admin}
        if self._long_connections.apps:
            roads["long_connections"] = list(self._long_connections.apps)
        if listening.programs:
            roads["programs"] = listening.programs
        return {**roads, "sinks": sinks}


async def _bind(variable: str, address: str, start: Callable[[], Awaitable[list[str]]]) -> list[str]:
    try:
        return await start()
    except OSError as error:
        raise cannot_listen(variable, address, error) from error


__all__ = ["Listening", "Router", "StartError", "WorkerFailedError"]
