"""From a seed to everything that will be done in a run: settings, traffic, faults. Pure."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from tests.crash.oracle.events import MARK, SUBJECTS, Event, event

MAX_ATTEMPTS = 4
HTTP_TIMEOUT = 2.0
KAFKA_MAX_BYTES = 40_000
LADDER = (0.3, 1.0, 3.0, 8.0)
"""Feishu's 15 s, 5 min, 1 h, 6 h, compressed."""
STATUSES = (
    201, 204, 301, 308, 400, 401, 403, 404, 405, 408, 409, 410, 413, 415, 418, 422, 425, 429, 500, 501, 502, 503, 504, 507,
)  # fmt: skip
MOODS = (
    "status",
    "retry_after",
    "mixed",
    "hang",
    "reset_before",
    "reset_after",
    "reset_within",
    "slow",
    "down",
    "close",
)
SYNCS = ("fdatasync:error=EIO", "fdatasync:error=EIO", "pwrite64:error=EIO", "pwrite64:error=ENOSPC")
GLOBS = (("*",), ("*",), ("corehr.*",), ("!im.*",), ("*", "!contact.*", "!oracle.*"))


@dataclass(frozen=True, slots=True)
class Fault:
    """Something done to the router or its surroundings `at` seconds after the start.

    kind: kill, term (router); broker_kill, broker_pause (number: node); receiver (what: mood, number: status);
    pause (what: sink), letters (what: sink; its dead letters are replayed), history (what: sink; all is sent again);
    disk (number: bytes left); clock (number: offset in seconds); sync (what: strace's injection, number: which call).
    """

    at: float
    kind: str
    seconds: float = 0.0
    what: str = ""
    number: int = 0


@dataclass(frozen=True, slots=True)
class SinkPlan:
    """One sink: what it wants, the order it keeps, its format, and what else is set."""

    name: str
    type: str
    events: tuple[str, ...]
    ordering: str
    format: str
    settings: tuple[tuple[str, str], ...] = ()

    def wants(self, type_: str) -> bool:
        included = [pattern for pattern in self.events if not pattern.startswith("!")] or ["*"]
        excluded = [pattern[1:] for pattern in self.events if pattern.startswith("!")]
        return any(fnmatchcase(type_, each) for each in included) and not any(fnmatchcase(type_, e) for e in excluded)


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole run. rate: events a second; kinds: of events besides good ones."""

    seed: int
    seconds: float
    rate: float
    burst: int
    subjects: int
    types: tuple[str, ...]
    kinds: tuple[str, ...]
    sinks: tuple[SinkPlan, ...]
    faults: tuple[Fault, ...]
    log_level: str
    append_time: bool
    """Whether the brokers stamp the records: then it is known when each arrived."""

    def event(self, serial: int) -> Event:
        return event(self.seed, serial, self.types, self.subjects, self.kinds)

    def sink(self, type_: str) -> SinkPlan:
        return next(sink for sink in self.sinks if sink.type == type_)

    def has(self, *kinds: str) -> bool:
        return any(fault.kind in kinds for fault in self.faults)


def draw(seed: int, seconds: float = 12.0) -> Plan:
    """The plan of a seed."""
    rng = random.Random(seed)
    sinks = (_kafka(rng), _http(rng), _file(rng))
    blind = sinks[1].format == "data"  # then nobody can tell what was replayed
    failing = () if sinks[1].ordering == "source" else ("failing",)
    return Plan(
        seed=seed,
        seconds=seconds,
        rate=rng.choice([20, 60, 120]),
        burst=rng.choice([1, 5, 40]),
        subjects=rng.choice([3, 20, 300]),
        types=tuple(rng.sample(sorted(SUBJECTS), 5)),
        kinds=("huge", "rejected", *failing),
        sinks=sinks,
        faults=tuple(
            fault for fault in _faults(rng, seconds) if not (blind and fault == Fault(fault.at, "history", what="hook"))
        ),
        log_level=rng.choice(["info", "info", "debug"]),
        append_time=rng.random() < 0.8,
    )


def _ordering(rng: random.Random) -> str:
    return rng.choice(["key", "key", "key", "source", "none"])


def _kafka(rng: random.Random) -> SinkPlan:
    settings = {
        "COMPRESSION": rng.choice(["none", "zstd", "lz4", "gzip", "snappy"]),
        "PARTITIONS": rng.choice(["1", "3"]),
        "MAX_BATCH_BYTES": rng.choice(["16KiB", "512KiB"]),
        "REQUEST_TIMEOUT_SECONDS": rng.choice(["1", "3"]),
        "DELIVER_TIMEOUT_SECONDS": rng.choice(["3", "5"]),
        "CONCURRENCY": rng.choice(["2", "4", "16"]),
    }
    format_ = rng.choice(["structured", "binary"])
    return SinkPlan("bus", "kafka", rng.choice(GLOBS), _ordering(rng), format_, tuple(settings.items()))


def _http(rng: random.Random) -> SinkPlan:
    settings = {
        "CONCURRENCY": rng.choice(["1", "4", "32"]),
        "MAX_EVENTS": rng.choice(["3", "50"]),
        "TIMEOUT_SECONDS": f"{HTTP_TIMEOUT:g}",
        "CONNECT_TIMEOUT_SECONDS": "2",
        "SIGNING_SECRETS": f"{MARK}-signing-secret",
    }
    format_ = rng.choice(["structured", "binary", "batch", "data"])
    return SinkPlan("hook", "http", rng.choice(GLOBS), _ordering(rng), format_, tuple(settings.items()))


def _file(rng: random.Random) -> SinkPlan:
    settings = {"PATH": rng.choice(["{event_type}.jsonl", "all.jsonl", "{tenant}/{date}/{event_type}.jsonl"])}
    return SinkPlan("archive", "file", rng.choice(GLOBS), _ordering(rng), "", tuple(settings.items()))


def _faults(rng: random.Random, seconds: float) -> tuple[Fault, ...]:
    """A tenth of the runs is calm; the others have some kinds of faults, each a few times, at the same time or not."""
    if rng.random() < 0.1:
        return ()
    makers = (
        _kill,
        _kill,
        _term,
        _broker,
        _broker,
        _receiver,
        _receiver,
        _disk,
        _sync,
        _clock,
        _pause,
        _letters,
        _history,
    )
    chosen = rng.sample(makers, rng.choice([1, 2, 3, 5]))
    faults = [make(rng, rng.uniform(0.5, seconds)) for make in chosen for _ in range(rng.choice([1, 2, 4]))]
    return tuple(sorted(faults, key=lambda fault: fault.at))


def _kill(rng: random.Random, at: float) -> Fault:
    return Fault(at, "kill")


def _term(rng: random.Random, at: float) -> Fault:
    return Fault(at, "term")


def _broker(rng: random.Random, at: float) -> Fault:
    return Fault(at, rng.choice(["broker_kill", "broker_pause"]), rng.uniform(0.5, 8), number=rng.choice([1, 2, 3]))


def _receiver(rng: random.Random, at: float) -> Fault:
    return Fault(at, "receiver", rng.uniform(0.3, 5), rng.choice(MOODS), rng.choice(STATUSES))


def _disk(rng: random.Random, at: float) -> Fault:
    return Fault(at, "disk", rng.uniform(0.5, 5), number=rng.choice([0, 0, 30 << 20]))


def _sync(rng: random.Random, at: float) -> Fault:
    return Fault(at, "sync", what=rng.choice(SYNCS), number=int(2 ** rng.uniform(2, 8)))


def _clock(rng: random.Random, at: float) -> Fault:
    return Fault(at, "clock", number=rng.randrange(-6 * 3600, 6 * 3600))


def _pause(rng: random.Random, at: float) -> Fault:
    return Fault(at, "pause", rng.uniform(0.5, 6), rng.choice(["bus", "hook", "archive"]))


def _letters(rng: random.Random, at: float) -> Fault:
    return Fault(at, "letters", what=rng.choice(["bus", "hook", "ingress"]))


def _history(rng: random.Random, at: float) -> Fault:
    return Fault(at, "history", what=rng.choice(["bus", "hook", "archive"]))


def described(faults: Sequence[Fault]) -> dict[str, int]:
    """How many of each kind."""
    counts: dict[str, int] = {}
    for fault in faults:
        name = f"receiver_{fault.what}" if fault.kind == "receiver" else fault.kind
        counts[name] = counts.get(name, 0) + 1
    return counts
