"""What is remembered of an event's failed attempts."""

from router.journal.contract import HISTORY_MAX, Attempt

DETAIL_MAX = 500
"""Characters."""

History = tuple[Attempt, ...]


def remembered(history: History, attempt: Attempt) -> History:
    """The history with one more attempt, its detail cut: the first one and the latest others, HISTORY_MAX altogether.

    The first says how it began, the latest what is wrong now; what was between is given up.
    """
    if len(history) >= HISTORY_MAX:
        history = history[:1] + history[2 - HISTORY_MAX :]
    return (*history, attempt._replace(detail=attempt.detail[:DETAIL_MAX]))
