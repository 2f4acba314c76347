"""What a lane is to do other than bring all new events to its sink: send some stored ones again."""

from collections.abc import Callable
from typing import NamedTuple

from router.dispatch.rate import Rate
from router.envelope import Envelope


class Errand(NamedTuple):
    """A replay. lane: the name of its cursor; wants: which of the sink's events; last: position after which it is done;
    time: when it was ordered (RFC 3339), which marks each event as sent again."""

    lane: str
    wants: Callable[[Envelope], bool]
    last: int
    time: str
    rate: Rate

    def mark(self, envelope: Envelope) -> Envelope:
        """The event as it is sent again."""
        return envelope.marked(replayedtime=self.time)
