"""How large the journal may grow, and where it begins to drop and to refuse. Pure."""

from dataclasses import dataclass

from router.settings.model import JournalSettings

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes, unless named otherwise. Below `trim_bytes` only age makes events go; above, the oldest settled ones go early;
    at `append_bytes` pushes are refused; from there to `max_bytes` is for settling.
    """

    max_bytes: int
    reserve_bytes: int
    retention_ms: int
    dedupe_ms: int
    disk_floor_bytes: int = 64 * MIB
    """Appends are refused while the disk has less than this left."""
    ballast_bytes: int = 8 * MIB
    absent_ms: int = 7 * 86_400_000

    @property
    def append_bytes(self) -> int:
        """Where appends stop."""
        return self.max_bytes - self.reserve_bytes

    @property
    def trim_bytes(self) -> int:
        """Where settled events begin to go before their time."""
        return self.max_bytes - 2 * self.reserve_bytes

    def holds(self, absent_ms: int, now_ms: int) -> bool:
        """Whether a lane that is absent since then (0: it isn't) still holds the events that it has not settled."""
        return absent_ms == 0 or now_ms - absent_ms <= self.absent_ms


def limits_of(settings: JournalSettings) -> Limits:
    """The reserve is an eighth of the whole, at most 256 MiB."""
    return Limits(
        max_bytes=settings.max_bytes,
        reserve_bytes=min(settings.max_bytes // 8, 256 * MIB),
        retention_ms=int(settings.retention_seconds * 1000),
        dedupe_ms=int(settings.dedupe_seconds * 1000),
        absent_ms=int(settings.absent_seconds * 1000),
    )
