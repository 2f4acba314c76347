"""What somebody wants a sink to get again."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReplayOrder:
    """Which stored events a sink shall get again.

    since_ms, until_ms: of the time they were stored (Unix ms), from and before; None: from the first kept one, up to now.
    types, apps, tenants, subjects: globs, `!` in front excludes; within what the sink's own settings want.
    rate: events per second at most.
    """

    sink: str
    since_ms: int | None = None
    until_ms: int | None = None
    types: tuple[str, ...] = ()
    apps: tuple[str, ...] = ()
    tenants: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    rate: float = 100.0
