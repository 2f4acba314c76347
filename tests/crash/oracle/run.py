"""One run: the plan is carried out on the real program, then everything is let go quiet, stopped, and read."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from tests.broker.cluster import Cluster
from tests.crash.oracle import ends
from tests.crash.oracle.disk import SmallDisk
from tests.crash.oracle.events import KEY, MARK, TOKEN
from tests.crash.oracle.facts import Facts
from tests.crash.oracle.faults import Faults, step
from tests.crash.oracle.feishu import Feishu, session
from tests.crash.oracle.noise import Noise
from tests.crash.oracle.plan import KAFKA_MAX_BYTES, MAX_ATTEMPTS, Plan, SinkPlan
from tests.crash.oracle.receiver import MoodyReceiver
from tests.crash.oracle.supervised import Supervised
from tests.doubles.ports import free_ports

ROOT = Path(__file__).parents[3]
QUIET_SECONDS = 120.0
"""So long everything may take to be delivered once all faults are over. Probes are at most 30 s apart."""


async def perform(plan: Plan, cluster: Cluster, folder: Path) -> Facts:
    """Carry the plan out. Raises only when the harness itself fails; what the router does wrong is in the facts."""
    return await _Run(plan, cluster, folder).all()


class _Run:
    def __init__(self, plan: Plan, cluster: Cluster, folder: Path) -> None:
        self.plan = plan
        self.cluster = cluster
        self.folder = folder
        self.prefix = f"oracle-{uuid.uuid4().hex[:10]}."
        self.archive = ends.Archive(folder / "archive")
        self.noise = Noise()
        self.clock = folder / "clock"
        self.receiver = MoodyReceiver(plan, free_ports(1)[0])
        syncs = [fault for fault in plan.faults if fault.kind == "sync"]
        self.router = Supervised(folder, self._environ(), syncs)
        self.facts = Facts(plan, time.time(), self.noise.stolen, self.noise.longest)

    async def all(self) -> Facts:
        facts, router = self.facts, self.router
        self.clock.write_bytes(bytes(8))
        (self.folder / "archive").mkdir()
        with _disk(self.plan, self.folder) as disk:
            await self._live(Faults(self.cluster, router, self.receiver, disk, self.clock))
        facts.arrivals["hook"] = self.receiver.arrivals
        facts.arrivals["archive"] = self.archive.arrivals(self.plan)
        facts.arrivals["bus"] = await ends.kafka(self.cluster.bootstrap, self.prefix, facts)
        facts.failures = self.receiver.failures
        facts.leaks += self.receiver.leaks
        facts.leaks += await asyncio.to_thread(_leaks, self.folder)
        facts.deaths, facts.peak_rss = router.deaths, router.peak_rss
        facts.spans += router.down
        facts.troubles += router.troubles
        facts.kept = ends.journal(self.folder / "data" / "journal.db", [sink.name for sink in self.plan.sinks])
        facts.died = ends.died(router.program.log)
        with contextlib.suppress(Exception):
            await ends.drop_topics(self.cluster.bootstrap, self.prefix)
        return facts

    async def _live(self, faults: Faults) -> None:
        feishu = Feishu(self.plan, self.router.program.url)
        beside = [asyncio.create_task(self.noise.run()), asyncio.create_task(self._look())]
        try:
            async with session() as connections, self.receiver.server:
                await self.router.start()
                pushing = asyncio.create_task(feishu.run(connections))
                try:
                    await asyncio.gather(faults.run(self.plan.faults), asyncio.sleep(self.plan.seconds))
                finally:
                    pushing.cancel()
                await asyncio.to_thread(self.cluster.wait)
                self.router.calm()
                step(self.clock, 0)
                trickle = asyncio.create_task(feishu.trickle(connections))
                await feishu.rest()
                await self._quiet()
                feishu.enough.set()
                await trickle
                await self._quiet()
                self.facts.leaks += ["the metrics"] if MARK in self.router.program.get("/metrics")[1] else []
                await self.router.stop()
        finally:
            self.router.abandon()
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
        self.facts.pushes = feishu.pushes
        self.facts.spans += faults.spans

    async def _quiet(self) -> None:
        """Until every sink has everything that was stored before, or it takes too long."""
        await self.router.ready()
        wanted = await asyncio.to_thread(self.router.program.metric, "fer_journal_head")
        end = time.monotonic() + QUIET_SECONDS
        while not await asyncio.to_thread(self._settled, wanted):
            if time.monotonic() > end:
                self.facts.troubles.append(f"not delivered {QUIET_SECONDS:g} s after the last fault: {self._lags()}")
                return
            await asyncio.sleep(0.2)

    def _settled(self, head: float) -> bool:
        metric = self.router.program.metric
        now = metric("fer_journal_head")
        behind = max(metric("fer_lag_events", sink=sink.name) for sink in self.plan.sinks)
        return now >= head and metric("fer_parked") == 0 and behind <= now - head

    def _lags(self) -> str:
        metric = self.router.program.metric
        return ", ".join(
            f"{sink.name} lags {metric('fer_lag_events', sink=sink.name):g}, "
            f"parked {metric('fer_parked', sink=sink.name):g}"
            for sink in self.plan.sinks
        )

    async def _look(self) -> None:
        while True:
            self.archive.look()
            await asyncio.sleep(0.1)

    def _environ(self) -> dict[str, str]:
        environ = {
            "PYTHONPATH": f"{Path(__file__).parent / 'clock'}:{ROOT}",
            "ORACLE_CLOCK": str(self.clock),
            "AIOKAFKA_NO_EXTENSIONS": "1" if self.plan.has("clock") else "",  # what is compiled has a clock of its own
            "FER_APP__ENCRYPT_KEY": KEY,
            "FER_APP__VERIFICATION_TOKEN": TOKEN,
            "FER_LOG__LEVEL": "debug"
            if self.plan.has("letters")
            else self.plan.log_level,  # each that dies is told there
            "FER_DRAIN__LANES_SECONDS": "2",
            "FER_SINKS": ",".join(sink.name for sink in self.plan.sinks),
        }
        for sink in self.plan.sinks:
            settings = self._common(sink) | dict(sink.settings) | self._where(sink)
            environ |= {f"FER_SINK__{sink.name.upper()}__{name}": value for name, value in settings.items()}
        return environ

    def _common(self, sink: SinkPlan) -> dict[str, str]:
        return {
            "TYPE": sink.type,
            "EVENTS": ",".join(sink.events),
            "ORDERING": sink.ordering,
            "RETRY__MAX_ATTEMPTS": str(MAX_ATTEMPTS),
            "RETRY__INITIAL_SECONDS": "0.1",
            "RETRY__MAX_SECONDS": "2",
        }

    def _where(self, sink: SinkPlan) -> dict[str, str]:
        if sink.type == "http":
            return {"FORMAT": sink.format, "URL": f"http://127.0.0.1:{self.receiver.server.port}/hook"}
        if sink.type == "file":
            return {"PATH": f"{self.folder}/archive/{dict(sink.settings)['PATH']}"}
        stamps = ",message.timestamp.type=LogAppendTime" if self.plan.append_time else ""
        return {
            "FORMAT": sink.format,
            "BOOTSTRAP_SERVERS": self.cluster.bootstrap,
            "TOPIC": self.prefix + "{event_type}",
            "REPLICATION": "3",
            "TOPIC_CONFIG": f"max.message.bytes={KAFKA_MAX_BYTES}{stamps}",
        }


@contextlib.contextmanager
def _disk(plan: Plan, folder: Path) -> Iterator[SmallDisk | None]:
    if not plan.has("disk"):
        yield None
        return
    with SmallDisk(folder / "data") as disk:
        yield disk


def _leaks(folder: Path) -> list[str]:
    """Files in which a secret stands."""
    files = (file for file in folder.rglob("*") if file.is_file())
    return [str(file.relative_to(folder)) for file in files if MARK.encode() in file.read_bytes()]
