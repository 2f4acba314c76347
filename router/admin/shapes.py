"""What operations give → JSON members, the same for the admin API, the command line and an export."""

from collections.abc import Sequence
from typing import Any

import orjson

from router.admin.moments import stamp
from router.admin.questions import key_text
from router.admin.reasons import explain
from router.journal.contract import Attempt, DeadLetter, LetterGroup, LetterKey
from router.operations.contract import ConnectionRow, Count, ProgramRow, ReplayRow, SinkRow, Slice

Members = dict[str, Any]


def sink_members(row: SinkRow) -> Members:
    """One sink."""
    return {
        "name": row.name,
        "type": row.type,
        "state": row.state,
        "breaker": row.breaker,
        "reason": row.reason,
        "position": row.position,
        "lag_events": row.lag_events,
        "lag_seconds": row.lag_seconds,
        "parked": row.parked,
        "dead_letters": row.dead_letters,
        "absent_since": _time(row.absent_ms),
    }


def connection_members(row: ConnectionRow) -> Members:
    """One connection to Feishu."""
    return {
        "app": row.app,
        "number": row.number,
        "state": row.state,
        "id": row.id,
        "reason": row.reason,
        "since": _time(row.since_ms),
        "next_attempt": _time(row.next_ms),
        "events": row.events,
        "last_event": _time(row.last_event_ms),
        "last_pong": _time(row.last_pong_ms),
    }


def program_members(row: ProgramRow) -> Members:
    """One program that is connected to the router."""
    return {
        "sink": row.sink,
        "id": row.id,
        "client": row.client,
        "agent": row.agent,
        "since": _time(row.since_ms),
        "unanswered": row.unanswered,
        "acknowledged": row.acknowledged,
    }


def letter_members(letter: DeadLetter, *, whole: bool) -> Members:
    """One dead letter; `whole`: with its attempts, what the reason means, and the envelope (of an ingress letter: the push)."""
    short = {
        "id": letter.id,
        "sink": letter.lane,
        "position": letter.position,
        "event_id": letter.event_id,
        "type": letter.type,
        "subject": letter.subject,
        "app": letter.app,
        "reason": letter.reason,
        "detail": letter.detail,
        "attempts": letter.attempts,
        "first_failed": _time(letter.first_failed_ms),
        "last_failed": _time(letter.last_failed_ms),
        "dead": _time(letter.dead_ms),
        "bytes": len(letter.body),
    }
    if not whole:
        return short
    meaning, remedy = explain(letter.reason)
    return {
        **short,
        "meaning": meaning,
        "remedy": remedy,
        "history": [_attempt(attempt) for attempt in letter.history],
        "envelope": orjson.Fragment(letter.body),
    }


def letters_members(letters: Sequence[DeadLetter], *, whole: bool) -> Members:
    """A page of dead letters. `next` is null behind the last one."""
    last = letters[-1] if letters else None
    after = LetterKey(last.lane, last.position or 0, last.id) if last else None
    return {"letters": [letter_members(letter, whole=whole) for letter in letters], "next": key_text(after)}


def summary_members(groups: Sequence[LetterGroup]) -> Members:
    """How many dead letters there are, and which."""
    return {
        "total": sum(group.count for group in groups),
        "last_id": max((group.last_id for group in groups), default=0),
        "groups": [
            {
                "sink": group.lane,
                "type": group.type,
                "reason": group.reason,
                "count": group.count,
                "oldest": _time(group.oldest_ms),
                "newest": _time(group.newest_ms),
                "last_id": group.last_id,
            }
            for group in groups
        ],
    }


def slice_members(step: Slice) -> Members:
    """One step of giving back or purging."""
    return {
        "done": step.done,
        "skipped": [{"id": number, "reason": reason} for number, reason in step.skipped],
        "next": key_text(step.next),
        "wait_seconds": step.wait_seconds,
    }


def replay_members(row: ReplayRow) -> Members:
    """One replay and how far it is."""
    order = row.order
    return {
        "id": row.id,
        "sink": order.sink,
        "since": _time(order.since_ms),
        "until": _time(order.until_ms),
        "type": order.types,
        "app": order.apps,
        "tenant": order.tenants,
        "subject": order.subjects,
        "rate": order.rate,
        "state": row.state,
        "first": row.first,
        "last": row.last,
        "position": row.position,
        "delivered": row.delivered,
        "parked": row.parked,
    }


def count_members(count: Count) -> Members:
    """One step of a dry run."""
    return {
        "events": count.events,
        "first": _time(count.first_ms),
        "last": _time(count.last_ms),
        "next": count.next,
        "end": count.end,
    }


def _attempt(attempt: Attempt) -> Members:
    return {"at": _time(attempt.at_ms), "reason": attempt.reason, "detail": attempt.detail}


def _time(ms: int | None) -> str | None:
    return stamp(ms) if ms else None
