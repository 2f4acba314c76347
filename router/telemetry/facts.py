"""The catalogue of everything an operator can observe. Each fact is declared once: its log line and its metric together."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True, slots=True, eq=False)
class Fact:
    """Something that happened.

    name: the log line's event; level: None for no line; counter: metric name without `fer_` and `_total`, None for none;
    labels: fields that become the metric's labels (bounded values only; all other fields are for the log line);
    every_seconds: at most `burst` log lines in that time for the same label values; how many were left out stands in the
    next one, as `suppressed`. At level debug nothing is left out.
    """

    name: str
    help: str
    level: Level | None = None
    counter: str | None = None
    labels: tuple[str, ...] = ()
    every_seconds: float = 0.0
    burst: int = 1


# Ingress
RECEIVED = Fact("push_received", "Pushes that arrived, whatever became of them.", None, "received", ("app",))
CHALLENGED = Fact("challenge_answered", "Challenges answered.", "info", "challenges", ("app",))
REFUSED = Fact("push_refused", "Pushes refused.", "warning", "refused", ("app", "reason", "status"), every_seconds=10)
QUARANTINED = Fact(
    "push_quarantined",
    "Authentic pushes not understood, kept as dead letters.",
    "error",
    "quarantined",
    ("app", "reason"),
    every_seconds=10,
    burst=10,
)
FEW_DESCRIPTORS = Fact(
    "few_descriptors", "The limit of open files (ulimit -n) allows fewer connections than MAX_CONNECTIONS.", "warning"
)
STORED = Fact("event_stored", "Events made durable.", "debug", "stored", ("app",))
DUPLICATE = Fact("event_duplicate", "Copies of events that were already stored.", "debug", "duplicates", ("app",))
RECREATED = Fact(
    "event_duplicate_other_time",
    "Copies whose creation time differs from the first one's, caught while remembered.",
    "warning",
    "duplicates_other_time",
)

# Long connections
CONNECTED = Fact("long_connection_up", "Connections to Feishu that came up.", "info", "long_connection_ups", ("app",))
DISCONNECTED = Fact(
    "long_connection_lost",
    "Connections to Feishu that were lost; they are made again.",
    "warning",
    "long_connection_losses",
    ("app", "reason"),
)
UNCONNECTED = Fact(
    "long_connection_failed",
    "Attempts to connect to Feishu that came to nothing and may soon go better.",
    "warning",
    "long_connection_failures",
    ("app", "code"),
    every_seconds=10,
)
CONNECTION_REFUSED = Fact(
    "long_connection_refused",
    "Attempts to connect that Feishu refused for a reason that doesn't pass by itself; they go on slowly.",
    "error",
    "long_connection_refusals",
    ("app", "code", "verdict"),
    every_seconds=10,
)
BROKEN_FRAME = Fact(
    "broken_frame", "Frames that could not be read.", "warning", "broken_frames", ("app",), every_seconds=10
)
PING_UNANSWERED = Fact(
    "ping_unanswered",
    "Pings that Feishu had not answered when the next was due.",
    "warning",
    "pings_unanswered",
    ("app",),
)

# Subscribers: programs connected to the router
SUBSCRIBER_CONNECTED = Fact(
    "subscriber_connected", "Programs that connected to the router.", "info", "subscribers_connected", ("sink",)
)
SUBSCRIBER_GONE = Fact(
    "subscriber_gone", "Connections of programs that ended.", "info", "subscribers_gone", ("sink", "reason")
)
SUBSCRIBER_REFUSED = Fact(
    "subscriber_refused",
    "Programs that were not let in.",
    "warning",
    "subscribers_refused",
    ("reason",),
    every_seconds=10,
)
SUBSCRIBER_BROKEN = Fact(
    "subscriber_broken_frame",
    "What programs sent and could not be read.",
    "warning",
    "subscriber_broken_frames",
    ("sink",),
    every_seconds=10,
)
LATE_ACK = Fact(
    "acknowledged_late",
    "Events that a program acknowledged after ACK_SECONDS; they are not pushed again.",
    "warning",
    "late_acks",
    ("sink",),
    every_seconds=10,
)

# Journal
JOURNAL_OPENED = Fact("journal_opened", "Journal opened.", "info")
JOURNAL_FULL = Fact(
    "journal_full",
    "Appends refused because the journal is full.",
    "error",
    "journal_full",
    ("holder",),
    every_seconds=10,
)
JOURNAL_FAILED = Fact("journal_failed", "The journal failed; the process ends.", "error", "journal_failed")
JOURNAL_TRIMMED = Fact("journal_trimmed", "Events dropped after retention.", "info", "journal_trimmed_events")

# Lanes
LANE_STATE = Fact("lane_state", "A lane changed its state.", "info", "lane_state_changes", ("sink", "state"))
LANE_ORPHANED = Fact(
    "lane_orphaned", "A sink was taken out of the settings; its cursor still holds events in the journal.", "warning"
)
LANE_ADDED = Fact("lane_added", "A sink is new: its lane begins at the position told.", "info")
LANE_SUSPECT = Fact(
    "lane_suspect",
    "A sink is new while one of the same type is gone: if it was renamed, say so with WAS.",
    "warning",
)
LANE_RETYPED = Fact("lane_retyped", "A sink has another type than before; its lane goes on where it was.", "warning")
LANE_RENAMED = Fact("lane_renamed", "A sink took over the lane of the name that it had before.", "info")
LANE_FORGOTTEN = Fact("lane_forgotten", "An absent sink's cursor was dropped.", "info")
LANE_GAP = Fact(
    "lane_gap",
    "A sink was absent for so long that events it had not settled were dropped.",
    "error",
    "missed",
    ("sink",),
)
DELIVERED = Fact("event_delivered", "Events delivered.", "debug", "delivered", ("sink",))
UNWANTED = Fact("event_unwanted", "Events that a sink's EVENTS leaves out.", None, "unwanted", ("sink",))
UNROUTED = Fact("event_unrouted", "Events that no sink wants.", "debug", "unrouted", ("type",))
RETRIED = Fact(
    "event_retried",
    "Deliveries that failed and are tried again.",
    "warning",
    "retried",
    ("sink", "reason"),
    every_seconds=10,
    burst=10,
)
UNAVAILABLE = Fact(
    "sink_unavailable",
    "Deliveries held because the sink, or a scope of it, is unavailable.",
    "warning",
    "unavailable",
    ("sink", "reason"),
    every_seconds=10,
)
DEAD = Fact(
    "event_dead", "Events that became dead letters.", "error", "dead", ("sink", "reason"), every_seconds=10, burst=10
)
DEAD_UNCOPIED = Fact(
    "dead_letter_uncopied",
    "Dead letters whose copy to the sink for them found no room.",
    "error",
    "dead_uncopied",
    ("sink",),
)
REVIVED = Fact("dead_letters_replayed", "Dead letters given back to their sink.", "info", "dead_replayed", ("sink",))
PURGED = Fact("dead_letters_purged", "Dead letters deleted.", "info", "dead_purged", ("sink",))
REPLAY_STARTED = Fact("replay_started", "Stored events are sent to a sink again.", "info")
REPLAY_ENDED = Fact("replay_ended", "A replay came to its end.", "info")
REPLAYED = Fact("event_replayed", "Events delivered by a replay.", "debug", "replayed", ("sink",))
SINK_BUG = Fact("sink_raised", "deliver() raised instead of giving outcomes.", "error", "sink_raised", ("sink",), 10)

# Operators
OPERATED = Fact("operator_action", "An operator changed something through the admin port.", "info")
ADMIN_SOCKET_MISSING = Fact(
    "admin_socket_missing",
    "The admin socket in the data directory could not be made; commands on this machine need the admin port.",
    "warning",
)
SETTINGS_REMARK = Fact("settings_remark", "A setting is allowed, and probably not meant so.", "warning")
RELOADED = Fact(
    "settings_reloaded", "Keys, passwords or certificates were read anew from their files.", "info", "reloads"
)
RELOAD_FAILED = Fact(
    "settings_kept",
    "Changed files could not be used; what was read before stays in use.",
    "error",
    "reload_failures",
)

# Lifecycle
START_FAILED = Fact("start_failed", "The router could not start.", "error")
STARTED = Fact("started", "The router listens.", "info")
DRAINING = Fact("draining", "A signal to stop arrived.", "info")
STOPPED = Fact("stopped", "The router ended.", "info")
LAGGARD = Fact("drain_laggard", "Still busy at the drain's deadline.", "warning")
CLEANUP_FAILED = Fact("cleanup_failed", "A part could not be closed.", "error")
LIBRARY = Fact(
    "library_warning", "A library that the router uses warned.", "warning", None, ("library", "place"), every_seconds=60
)
CRASHED = Fact("worker_crashed", "A worker of the router ended with an error.", "error", "worker_crashes", ("worker",))
