"""Dead letters of a sink, and the copies that a sink of dead letters gets. Pure."""

from datetime import UTC, datetime

from router.dispatch.entry import Entry
from router.envelope import Envelope
from router.journal.contract import DeadLetter, Parked

REPLAYED = b'{"replayedtime":'
DETAIL_MAX = 500


def letter_of(sink: str, entry: Entry, parked: Parked, reason: str, detail: str) -> DeadLetter:
    """What is kept of an event that the sink will not get. parked: its record, this failure counted."""
    envelope = entry.envelope
    return DeadLetter(
        lane=sink,
        position=entry.position,
        event_id=envelope.id,
        type=envelope.type,
        subject=envelope.subject,
        body=_unmarked(envelope.json),
        reason=reason,
        detail=detail[:DETAIL_MAX],
        attempts=parked.attempts,
        first_failed_ms=parked.first_failed_ms,
        last_failed_ms=parked.last_failed_ms,
        dead_ms=parked.last_failed_ms,
        app=envelope.appid,
        history=parked.history,
    )


def copy_of(letter: DeadLetter) -> Envelope:
    """The event with the reason in extension attributes, as Kafka Connect puts it in headers of its dead letters.

    The journal tells copies of one event apart by the time of its death, which is when the copy was recorded.
    """
    time = _time(letter.dead_ms)
    copy = Envelope.from_json(letter.body).marked(
        deadsink=letter.lane,
        deadreason=letter.reason,
        deaddetail=letter.detail,
        deadattempts=str(letter.attempts),
        deadtime=time,
    )
    return copy._replace(recordedtime=time, created_ms=letter.dead_ms)


def _unmarked(body: bytes) -> bytes:
    """The event as it was stored, without the mark of a replay in front."""
    if not body.startswith(REPLAYED):
        return body
    return b"{" + body[body.index(b",") + 1 :]


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
