"""What a lane promises, as somebody sees it who watches the sink and the journal: what it may do now, and what it must.

Each stored event that the sink wants is `waiting`, then `under way` and so on, until it is `delivered` or `dead`:

- P2 nothing vanishes: what the journal counts as settled is delivered, dead or parked; in a calm everything ends.
- P4 in order: an event is given to the sink when every earlier one of its key has ended, or is ahead of it in the batch.
- P9 no copies: what is delivered or dead is not given again, but for what a crash made the journal forget.
- A sink that is unavailable gets one event at a time, and none before the pause that it asked for is over.
- P5 a sick scope is alone: in a calm of the rest, only its own events wait.
- A paused sink gets nothing. A sink that was replaced gets nothing more. No sink gets more than RATE.
- An event is buried when it was refused, or when it failed often enough (or for long enough) while others got through.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from router.journal.contract import DeadLetter, Parked, Settlement
from sinks.contract import FOLLOWS, Delivered, Outcome, Rejected, Retry, Unavailable
from sinks.settings import SinkSettings

MISSES_MAX = 16
"""So many failures in a row, and the sink counts as unavailable."""
SECOND_PROBE_SECONDS = 0.1


@dataclass
class Story:
    """One event. not_before: a pause that was asked for it; failed_at: how much the sink had taken at each failure."""

    position: int
    id: str
    scope: str
    key: str | None
    state: str = "waiting"
    not_before: float = 0.0
    failed_at: set[int] = field(default_factory=set)
    first_failed: float | None = None
    suspect: bool = False

    @property
    def ended(self) -> bool:
        """Refused ones are about to be buried."""
        return self.state in ("delivered", "dead", "refused")


class Specification:
    """Is told what happens, and objects (AssertionError) to what must not. objections: those made where nobody hears them."""

    def __init__(self, settings: SinkSettings, *, batches_keep_order: bool) -> None:
        self.stories: dict[int, Story] = {}
        self.parked: set[int] = set()
        self.paused_at: float | None = None
        self.held_at: float | None = None
        self.held_until = 0.0
        self.objections: list[Exception] = []
        self._settings = settings
        self._keep_order = batches_keep_order
        self._ids: dict[str, Story] = {}
        self._misses = 0
        self._delivered = 0
        self._level = 0.0
        self._level_at = 0.0
        self._low_water = 0
        self._probe: Sequence[str] = ()
        self._answered_at = -1.0
        self.breaker_is_open: Callable[[], bool] = lambda: False
        """What the lane says."""

    def stored(self, position: int, event_id: str, scope: str, key: str | None) -> None:
        """The journal has a new event that the sink wants."""
        self._nothing_to_probe_with()
        self.stories[position] = self._ids[event_id] = Story(position, event_id, scope, key)

    def _nothing_to_probe_with(self) -> None:
        if all(story.ended or story.position in self.parked for story in self.stories.values()):
            self.available()

    # What may be given to the sink

    def given(self, ids: Sequence[str], now: float) -> None:
        """A delivery begins."""
        batch = [self._ids[event_id] for event_id in ids]  # a KeyError: nobody wanted this one
        assert self.paused_at is None or now <= self.paused_at, f"{ids} given to a paused sink"
        self._nothing_to_probe_with()
        since = self._answered_at if self.breaker_is_open() else self.held_at
        if since is None:
            self._may_go_now(batch, now)
        elif now > since:  # what began at the same moment had begun before
            self._may_probe(batch, now)
        for at, story in enumerate(batch):
            assert story.state == "waiting", f"{story} given again"
            ahead = batch[:at] if self._keep_order else []
            early = [other for other in self.stories.values() if self._before(other, story) and other not in ahead]
            assert not early, f"{story} given before {early}"
        for story in batch:
            story.state = "under way"
        self._probe = ids if since is not None else ()

    @staticmethod
    def _before(other: Story, story: Story) -> bool:
        return other.key is not None and other.key == story.key and other.position < story.position and not other.ended

    def _may_probe(self, batch: Sequence[Story], now: float) -> None:
        others = [story for story in self.stories.values() if story.state == "under way"]
        assert not others, f"{batch} given to an unavailable sink beside {others}"
        assert len(batch) == 1, f"{batch} given to an unavailable sink at once"
        if now - self._answered_at > SECOND_PROBE_SECONDS:  # the second one, of another subject, follows at once
            assert now >= self.held_until - 1e-6, f"{batch} given {self.held_until - now} s before the pause is over"

    def _may_go_now(self, batch: Sequence[Story], now: float) -> None:
        for story in batch:
            assert now >= story.not_before - 0.002, f"{story} given {story.not_before - now} s before its pause is over"
        if rate := self._settings.rate:
            self._level = max(0.0, self._level - (now - self._level_at) * rate) + len(batch)
            self._level_at = now
            assert self._level <= max(1.0, rate) + 2 + 1e-6, (
                f"more than {rate} events a second"
            )  # 2: probes go beyond it

    # What the sink says

    def answered(self, ids: Sequence[str], outcomes: Sequence[Outcome], now: float) -> None:
        """A delivery ended."""
        probe = ids == self._probe
        self._answered_at = now
        for event_id, outcome in zip(ids, outcomes, strict=True):
            story = self._ids[event_id]
            story.state = "waiting"
            match outcome:
                case Delivered() | Rejected():
                    story.state = "delivered" if isinstance(outcome, Delivered) else "refused"
                    self._count(isinstance(outcome, Delivered))
                    self._misses = 0
                case Retry() if outcome == FOLLOWS:
                    pass
                case Retry():
                    self._failed(story, now)
                    self._misses += 1
                    story.not_before = now + min(outcome.after or 0.0, self._settings.retry.max_seconds)
                case Unavailable():
                    self._failed(story, now)
                    story.suspect = True
        self._hold(outcomes, now, probe=probe)

    def _count(self, delivered: bool) -> None:
        if delivered:
            self._delivered += 1
            for story in self.stories.values():
                if story.suspect:  # it found the sink unavailable, and now another got through
                    story.failed_at.add(self._delivered)
                    story.suspect = False

    def _failed(self, story: Story, now: float) -> None:
        story.failed_at.add(self._delivered)
        story.first_failed = now if story.first_failed is None else story.first_failed

    def _hold(self, outcomes: Sequence[Outcome], now: float, *, probe: bool) -> None:
        whole = [outcome for outcome in outcomes if isinstance(outcome, Unavailable) and not outcome.scope]
        if whole or self._misses >= MISSES_MAX:
            pause = max((min(outcome.after or 0.0, self._settings.retry.max_seconds) for outcome in whole), default=0.0)
            self.held_at = now if self.held_at is None else self.held_at
            self.held_until = max(self.held_until, now + pause)
        elif probe:
            self.available()

    def available(self) -> None:
        """Nothing speaks against the sink any more. What it was probed with may not have been due."""
        self.held_at, self.held_until, self._misses = None, 0.0, 0
        for story in self.stories.values():
            story.not_before = 0.0

    def lost(self, ids: Sequence[str]) -> None:
        """A delivery was cut off before the sink took anything."""
        for event_id in ids:
            self._ids[event_id].state = "waiting"

    # What the journal is told

    def settled(self, settlement: Settlement, now: float) -> None:
        """The lane says how far it is."""
        for letter in settlement.dead:
            self._may_die(letter, now)
        self.parked -= set(settlement.unparked)
        self.parked |= {row.position for row in settlement.parked}
        assert settlement.position >= self._low_water, "the low-water mark went back"
        self._low_water = settlement.position
        for story in self.stories.values():
            parked = story.position in self.parked
            assert not (parked and story.ended), f"{story} is parked"
            if is_settled(story.position, settlement.position, settlement.settled):
                assert story.ended or parked, f"{story} is settled"

    def _may_die(self, letter: DeadLetter, now: float) -> None:
        story = self._ids[letter.event_id]
        retry = self._settings.retry
        assert letter.position == story.position
        assert not story.ended or story.state == "refused", f"{story} buried"
        most = len(story.failed_at) + (story.state == "refused")
        assert letter.attempts <= most, f"{story} died of {letter.attempts} attempts"
        old = story.first_failed is not None and now - story.first_failed >= retry.max_age_seconds - 0.002
        often = letter.attempts >= retry.max_attempts
        assert story.state == "refused" or (letter.attempts and (often or old)), f"{story} died of {letter}"
        story.state = "dead"

    # What operators do

    def revived(self, position: int) -> None:
        """A dead letter is back."""
        story = self.stories[position]
        assert story.state == "dead"
        self.stories[position] = self._ids[story.id] = Story(position, story.id, story.scope, story.key)
        self.parked.add(position)

    def restarted(
        self, low: int, ranges: Sequence[tuple[int, int]], parked: Mapping[int, Parked], dead: set[int]
    ) -> int:
        """The router is there again, with what the journal has kept. Gives how many copies may come of it."""
        copies = 0
        for story in self.stories.values():
            if story.position in dead:
                story.state = "dead"
            elif is_settled(story.position, low, ranges) and story.position not in parked:
                assert story.state == "delivered", f"{story} is lost"
            else:
                copies += story.state == "delivered"
                story.state, story.not_before = "waiting", 0.0
        self.parked, self._low_water, self._level = set(parked), low, 0.0
        self.available()
        return copies

    # What must have ended

    def calm(self, poisoned: Collection[str] = (), denied: Collection[str] = ()) -> None:
        """For a long time the sink took all but these events and these scopes: only they wait, and what is behind them."""
        first: dict[str | None, int] = {}
        for story in sorted(map(self._ids.__getitem__, poisoned), key=lambda story: -story.position):
            first[story.key] = story.position
        late = [
            story
            for story in self.stories.values()
            if not story.ended and story.id not in poisoned and story.scope not in denied
            if story.key is None or story.position <= first.get(story.key, story.position)
        ]
        assert not late, f"{len(late)} events still wait in a calm: {late[:3]}"


def is_settled(position: int, low: int, ranges: Sequence[tuple[int, int]]) -> bool:
    """Whether a position is below the low-water mark or in a range above it."""
    return position <= low or any(first <= position <= last for first, last in ranges)
