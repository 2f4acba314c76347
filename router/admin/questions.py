"""Questions to the admin API → what `Operators` is asked, and places among dead letters as text."""

from typing import NamedTuple

from router.admin.fields import Fields
from router.journal.contract import LetterFilter, LetterKey
from router.operations.contract import ReplayOrder

EARLIEST = "earliest"
LETTERS_MAX = 1000
RATE_MAX = 1_000_000.0


class Page(NamedTuple):
    """Which dead letters, how many at most, and behind which."""

    wanted: LetterFilter
    limit: int
    after: LetterKey | None


def letter_filter(fields: Fields, now_ms: int) -> LetterFilter:
    """The conditions on dead letters."""
    return LetterFilter(
        lanes=fields.words("sink"),
        types=fields.words("type"),
        apps=fields.words("app"),
        subjects=fields.words("subject"),
        reasons=fields.words("reason"),
        since_ms=fields.moment("since", now_ms),
        until_ms=fields.moment("until", now_ms),
        ids=fields.integers("id"),
        up_to_id=fields.integer("up_to_id", None, low=0),
    )


def page(fields: Fields, wanted: LetterFilter, limit: int) -> Page:
    """How far to go through them; `limit` unless it is given."""
    return Page(wanted, fields.integer("limit", limit, 1, LETTERS_MAX) or limit, _after(fields))


def replay_order(fields: Fields, now_ms: int) -> ReplayOrder:
    """What shall be sent again."""
    sink = fields.word("sink")
    if sink is None:
        fields.blame("sink", "must be given")
    since, until = _since(fields, now_ms), fields.moment("until", now_ms)
    if since is not None and since >= (now_ms if until is None else until):
        fields.blame("since", "must be before until, and not in the future")
    return ReplayOrder(
        sink or "",
        since,
        until,
        types=fields.words("type"),
        apps=fields.words("app"),
        tenants=fields.words("tenant"),
        subjects=fields.words("subject"),
        rate=fields.number("rate", ReplayOrder("").rate, RATE_MAX),
    )


def _since(fields: Fields, now_ms: int) -> int | None:
    """From when on; None for all that is kept, which has to be said: a member left out must not come to mean everything."""
    said = fields.word("since")
    if said is None:
        fields.blame("since", f"must be given: how long ago, a time, or {EARLIEST}")
    return None if said in (None, EARLIEST) else fields.moment("since", now_ms)


def key_text(key: LetterKey | None) -> str | None:
    """A place as text, for `after`."""
    return None if key is None else f"{key.lane}:{key.position}:{key.id}"


def _after(fields: Fields) -> LetterKey | None:
    text = fields.word("after")
    if text is None:
        return None
    lane, *numbers = text.rsplit(":", 2)
    if lane and len(numbers) == 2 and all(n.isascii() and n.isdigit() and len(n) < 19 for n in numbers):
        return LetterKey(lane, int(numbers[0]), int(numbers[1]))
    fields.blame("after", "must be what an answer called next")
    return None
