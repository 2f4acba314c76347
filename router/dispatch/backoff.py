"""When to try again: exponential backoff with full jitter, the target's Retry-After honoured within bounds."""

from collections.abc import Callable


def delay(
    tries: int, initial: float, maximum: float, after: float | None = None, random: Callable[[], float] = lambda: 1.0
) -> float:
    """Seconds until the next try, after `tries` failed ones (1 at least).

    Full jitter: uniform between 0 and min(maximum, initial x 2^(tries-1)), so that many failed events don't come back
    together. What the target asked for (`after`) is a lower bound, itself bounded by `maximum`.
    """
    ceiling = min(maximum, initial * 2.0 ** min(tries - 1, 60))
    wait = ceiling * random()
    return max(wait, min(after, maximum)) if after is not None else wait
