import errno
import os

import pytest

from sinks.file.errors import UnfitFileError, unavailable


@pytest.mark.parametrize(
    ("number", "reason", "scope"),
    [
        (errno.ENOSPC, "disk_full", ""),
        (errno.EDQUOT, "quota_exceeded", ""),
        (errno.EROFS, "read_only", ""),
        (errno.EIO, "disk_error", ""),
        (errno.EMFILE, "too_many_open_files", ""),
        (errno.ETIMEDOUT, "etimedout", ""),
        (errno.EACCES, "permission_denied", "a.jsonl"),
        (errno.EISDIR, "in_the_way", "a.jsonl"),
        (errno.ELOOP, "symbolic_link", "a.jsonl"),
        (errno.EFBIG, "file_too_large", "a.jsonl"),
    ],
)
def test_the_number_tells_the_reason_and_how_far_it_reaches(number: int, reason: str, scope: str) -> None:
    outcome = unavailable(OSError(number, os.strerror(number)), "/d/a.jsonl", "a.jsonl")
    assert (outcome.reason, outcome.scope) == (reason, scope)
    assert outcome.detail == f"/d/a.jsonl: {os.strerror(number)}"


def test_an_error_without_a_number_is_told_too() -> None:
    assert unavailable(OSError("odd"), "/d/a", "a").reason == "os_error"


def test_an_unfit_file_concerns_only_itself() -> None:
    outcome = unavailable(UnfitFileError("locked", "in use"), "/d/a", "a")
    assert (outcome.reason, outcome.detail, outcome.scope) == ("locked", "/d/a: in use", "a")
