import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.journal.limits import MIB, limits_of
from router.settings.model import JournalSettings


@given(st.integers(16 * MIB, 1 << 50))
def test_there_is_always_room_to_trim_to_append_and_to_settle(max_bytes: int) -> None:
    limits = limits_of(JournalSettings(max_bytes=max_bytes))
    assert 0 < limits.trim_bytes < limits.append_bytes < limits.max_bytes == max_bytes
    assert 2 * MIB <= limits.reserve_bytes <= 256 * MIB


@pytest.mark.parametrize("seconds", [86400.0, 172800.5])
def test_times_are_in_milliseconds(seconds: float) -> None:
    limits = limits_of(JournalSettings(retention_seconds=seconds, dedupe_seconds=seconds))
    assert limits.retention_ms == limits.dedupe_ms == int(seconds * 1000)
