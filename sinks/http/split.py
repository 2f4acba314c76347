"""A batch was refused: which of its events are the cause? Halved until it is known, always from left to right."""

from collections.abc import Hashable, Sequence

from sinks.contract import DELIVERED, FOLLOWS, Delivered, Outcome, Rejected, Retry
from sinks.http.answers import Answer

MAX_REQUESTS = 24
"""Per batch: enough to find one bad event among a thousand; with more of them the rest comes again."""


class Split:
    """Says which events go into the next request, takes its answer, and ends with an outcome for each event.

    keys: the order key of each event; after a failed event its followers of the same key are not sent any more.
    """

    def __init__(self, keys: Sequence[Hashable | None]) -> None:
        self._keys = keys
        self._outcomes: list[Outcome] = [DELIVERED] * len(keys)
        self._parts = [range(len(keys))]
        self._held: set[Hashable] = set()
        self._requests = 0

    def next(self) -> list[int]:
        """Indexes of the events to send now; empty when all have their outcome."""
        while self._parts:
            part = [index for index in self._parts[-1] if not self._follows(index)]
            if part:
                self._requests += 1
                return part
            self._parts.pop()
        return []

    def answered(self, part: Sequence[int], answer: Answer, *, may_go_on: bool = True) -> None:
        """What became of the request with `part`. may_go_on: False once time is up: no further request is wanted."""
        span = self._parts.pop()
        going_on = may_go_on and self._requests < MAX_REQUESTS
        if isinstance(answer.outcome, Delivered) or (answer.divisible and len(part) == 1):
            self._settle(part, answer.outcome)
        elif answer.divisible and going_on:
            middle = span.start + len(span) // 2
            self._parts += [range(middle, span.stop), range(span.start, middle)]
        else:
            self._stop([*part], answer.outcome)
        if self._parts and not going_on:
            self._stop([], answer.outcome)

    def outcomes(self) -> list[Outcome]:
        """One for each event, once `next` has nothing more."""
        return self._outcomes

    def _settle(self, part: Sequence[int], outcome: Outcome) -> None:
        for index in part:
            self._outcomes[index] = outcome
            key = self._keys[index]
            if key is not None and not isinstance(outcome, Delivered):
                self._held.add(key)

    def _stop(self, part: list[int], outcome: Outcome) -> None:
        """Nothing more is sent: what is left shares the outcome, but is not rejected untried."""
        rest = part + [index for span in reversed(self._parts) for index in span if not self._follows(index)]
        self._parts.clear()
        if isinstance(outcome, Delivered | Rejected):
            outcome = Retry("batch_failed", "another event of the batch failed; this one was not tried by itself")
        self._settle(rest, outcome)

    def _follows(self, index: int) -> bool:
        key = self._keys[index]
        if key is None or key not in self._held:
            return False
        self._outcomes[index] = FOLLOWS
        return True
