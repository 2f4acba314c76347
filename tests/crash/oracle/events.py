"""What the model Feishu pushes: events of several types, each a pure function of a seed and its serial number."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

APP_ID = "cli_9f5343c580712544"
MARK = "oRaClE-sEcReT"
"""In every secret, so that one search finds them all."""
KEY, TOKEN = f"{MARK}-encrypt-key", f"{MARK}-verification-token"

SUBJECTS: dict[str, tuple[str, ...]] = {
    "corehr.department.updated_v2": ("department_id",),
    "corehr.department.created_v2": ("department_id",),
    "corehr.employment.updated_v1": ("employment_id",),
    "contact.user.updated_v3": ("object", "open_id"),
    "im.message.receive_v1": ("message", "chat_id"),
    "approval_instance": ("instance_code",),
    "card.action.trigger": ("context", "open_message_id"),
    "app_ticket": ("app_id",),
    "oracle.something.happened_v1": (),
}
"""Where the subject stands in the event; an unknown type has none."""
OLD = ("approval_instance", "app_ticket")
"""Types of schema 1.0."""
CREDENTIALS = {"card.action.trigger": "token", "app_ticket": "app_ticket"}
CARD = "card.action.trigger"
HUGE_BYTES = 60_000


@dataclass(frozen=True, slots=True)
class Event:
    """One event. kind: good, huge (too large for Kafka here), rejected or failing (by the HTTP receiver, always)."""

    serial: int
    type: str
    subject: str
    tenant: str
    kind: str
    id: str

    @property
    def source(self) -> str:
        return f"feishu/{APP_ID}/{self.tenant}"

    @property
    def key(self) -> str:
        """What ORDERING=key goes by: the subject within its source; without one, each event by itself."""
        return f"{self.source}/{self.subject}" if self.subject else self.id


def event(seed: int, serial: int, types: Sequence[str], subjects: int, kinds: Sequence[str]) -> Event:
    """The serial-th event of a run. kinds: those drawn from besides `good`."""
    rng = random.Random(f"{seed}/{serial}")
    type_ = rng.choice(types)
    subject = f"s{rng.randrange(subjects)}" if SUBJECTS[type_] else ""
    if type_ == "app_ticket":
        subject = APP_ID
    kind = rng.choice(kinds) if kinds and rng.random() < 0.02 else "good"
    # One id serves two tenants now and then: they are two events.
    number = serial - 1 if serial % 50 == 1 else serial
    return Event(serial, type_, subject, f"tenant{serial % 2}", kind, f"e{seed}-{number}")


def content(event: Event) -> dict[str, Any]:
    """The `event` object as a sink is to get it: without credential."""
    rng = random.Random(event.serial)
    fill = "x" * (HUGE_BYTES if event.kind == "huge" else rng.choice([0, 40, 400, 2000]))
    data: dict[str, Any] = {"serial": event.serial, "big": 2**63 + event.serial, "text": '部门\u2028\\"', "fill": fill}
    if event.type in OLD:
        data |= {"type": event.type, "app_id": APP_ID, "tenant_key": event.tenant}
    path = SUBJECTS[event.type]
    if path:
        inner: Any = event.subject
        for name in reversed(path[1:]):
            inner = {name: inner}
        data[path[0]] = inner
    return data


def document(event: Event, created: float, token: str = TOKEN) -> dict[str, Any]:
    """The push as Feishu makes it, credential and token included. created: Unix seconds."""
    data = content(event)
    if event.type in CREDENTIALS:
        data[CREDENTIALS[event.type]] = f"{MARK}-{event.type}-{event.serial}"
    if event.type in OLD:
        return {"uuid": event.id, "ts": f"{created:.6f}", "token": token, "type": "event_callback", "event": data}
    header = {
        "event_id": event.id,
        "event_type": event.type,
        "create_time": str(int(created * 1000)),
        "token": token,
        "app_id": APP_ID,
        "tenant_key": event.tenant,
    }
    return {"schema": "2.0", "header": header, "event": data}


def misshapen(serial: int) -> dict[str, Any]:
    """An authentic push that nobody can understand: it has no event type."""
    header = {"event_id": f"q{serial}", "token": TOKEN, "app_id": APP_ID, "tenant_key": "tenant0"}
    return {"schema": "2.0", "header": header, "event": {"serial": serial, "note": f"misshapen-{serial}-"}}
