"""Gauges: what is read off the router's parts each time somebody asks for metrics."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from router.clock import Clock
from router.dispatch.lane import Reading
from router.ingress.long_connection.status import STATES as CONNECTION_STATES
from router.ingress.long_connection.status import ConnectionRow
from router.journal.contract import Journal
from router.subscribers.groups import Group
from router.telemetry import Telemetry

STATES = ("opening", "running", "unavailable", "paused", "stopped")
Values = Iterable[tuple[tuple[str, ...], float]]


class Server(Protocol):
    """What is read off the webhook server."""

    @property
    def in_flight(self) -> int:
        """Pushes taken up and not yet answered."""

    @property
    def open_connections(self) -> int:
        """Connections there are now."""


def register_readings(
    telemetry: Telemetry, journal: Journal, lanes: Callable[[], Sequence[tuple[str, Reading]]], webhook: Server
) -> None:
    """Declare every gauge of the router. lanes: gives the readings by the sinks' names."""
    gauge = telemetry.gauge
    gauge("in_flight", "Pushes taken up and not yet answered.", (), lambda: [((), webhook.in_flight)])
    gauge("connections", "Open connections of the webhook port.", (), lambda: [((), webhook.open_connections)])
    gauge("journal_head", "Position of the newest stored event.", (), lambda: [((), journal.head)])
    gauge("journal_events", "Events kept in the journal.", (), lambda: [((), journal.meta().events)])
    gauge("journal_bytes", "Size of the journal on disk.", (), lambda: [((), journal.meta().bytes)])
    gauge("journal_limit_bytes", "Size limit of the journal.", (), lambda: [((), journal.meta().limit_bytes)])
    gauge(
        "dead_letters",
        "Dead letters kept, by sink; those of the ingress are quarantined pushes.",
        ("sink",),
        lambda: [((lane,), count) for lane, count in journal.meta().dead.items()],
    )

    def each(read: Callable[[Reading], float]) -> Callable[[], Values]:
        return lambda: [((name,), read(reading)) for name, reading in lanes()]

    gauge("lag_events", "Events stored and not yet settled by the sink.", ("sink",), each(lambda r: r.lag_events))
    gauge("lag_seconds", "Age of the oldest event the sink has not settled.", ("sink",), each(lambda r: r.lag_seconds))
    gauge("parked", "Events that wait outside the window, for a retry or a scope.", ("sink",), each(lambda r: r.parked))
    gauge("deliveries_running", "deliver() calls under way.", ("sink",), each(lambda r: r.in_flight))
    gauge("scopes_unavailable", "Scopes (topics, hosts) held.", ("sink",), each(lambda r: r.scopes_unavailable))
    gauge("breaker_open", "1 while the sink's breaker is open.", ("sink",), each(lambda r: r.breaker != "closed"))
    gauge("sink_state", "1 for the state the sink is in.", ("sink", "state"), lambda: _states(lanes()))


def _states(readings: Sequence[tuple[str, Reading]]) -> Values:
    return [((name, state), float(reading.state == state)) for name, reading in readings for state in STATES]


def register_connections(telemetry: Telemetry, rows: Callable[[], Sequence[ConnectionRow]], clock: Clock) -> None:
    """Declare the gauges of the connections to Feishu."""
    telemetry.gauge(
        "long_connections", "Connections to Feishu by their state.", ("app", "state"), lambda: _connections(rows())
    )
    telemetry.gauge(
        "long_connection_event_seconds",
        "Time since the app's newest event came over a connection that there is now.",
        ("app",),
        lambda: _ages(max, rows(), clock, lambda row: row.last_event_ms),
    )
    telemetry.gauge(
        "long_connection_pong_seconds",
        "Time since Feishu last answered a ping, of the app's connection that waits longest.",
        ("app",),
        lambda: _ages(min, rows(), clock, lambda row: row.last_pong_ms if row.state == "connected" else 0),
    )


def register_subscribers(telemetry: Telemetry, groups: Sequence[Group]) -> None:
    """Declare the gauges of the programs that are connected to the router."""
    telemetry.gauge(
        "subscribers",
        "Programs connected to the router, by sink.",
        ("sink",),
        lambda: [((group.sink,), len(group.pool.lines)) for group in groups],
    )
    telemetry.gauge(
        "subscriber_unanswered",
        "Events given to connected programs and not acknowledged yet.",
        ("sink",),
        lambda: [((group.sink,), group.pool.unanswered) for group in groups],
    )


def _connections(rows: Sequence[ConnectionRow]) -> Values:
    counts = Counter((row.app, row.state) for row in rows)
    apps = dict.fromkeys(row.app for row in rows)
    return [((app, state), float(counts[app, state])) for app in apps for state in CONNECTION_STATES]


def _ages(
    which: Callable[[Iterable[int]], int],
    rows: Sequence[ConnectionRow],
    clock: Clock,
    moment: Callable[[ConnectionRow], int],
) -> Values:
    now = clock.wall() * 1000
    for app in dict.fromkeys(row.app for row in rows):
        moments = [moment(row) for row in rows if row.app == app and moment(row)]
        if moments:
            yield (app,), max(0.0, now - which(moments)) / 1000
