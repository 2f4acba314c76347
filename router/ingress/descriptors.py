"""File descriptors: where connections have taken them all, neither a push nor a probe is accepted, and no sink opens a file."""

import resource

RESERVE = 512
"""Kept for the journal, the sinks and the other port."""


def connections(wanted: int) -> int:
    """How many connections may be open, of those wanted. Raises the process's soft limit of open files where it can."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + RESERVE
    if soft < needed and soft != resource.RLIM_INFINITY:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return wanted if soft == resource.RLIM_INFINITY else min(wanted, room(soft))


def room(limit: int) -> int:
    """What of a limit is left for connections: half of a small one."""
    return limit - min(RESERVE, limit // 2)
