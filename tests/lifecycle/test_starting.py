"""System errors at the start, in words."""

import errno
import socket
from pathlib import Path

import pytest

from router.lifecycle.starting import cannot_listen, cannot_store


def failed(number: int) -> OSError:
    return OSError(number, f"raw words of {number}")


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EADDRINUSE, "in use by another program"),
        (errno.EADDRNOTAVAIL, "no address of this machine"),
        (errno.EACCES, "from 1024 on"),
        (errno.EPERM, "from 1024 on"),
        (errno.EAFNOSUPPORT, "IPv6"),
    ],
)
def test_an_address_that_cannot_be_had(number: int, words: str) -> None:
    said = str(cannot_listen("FER_LISTEN", "[::1]:80", failed(number)))
    assert said.startswith("FER_LISTEN: [::1]:80 ")
    assert words in said
    assert "raw words" not in said


def test_a_host_that_is_not_known() -> None:
    said = str(cannot_listen("FER_ADMIN__LISTEN", "nowhere:80", socket.gaierror(-2, "Name or service not known")))
    assert said == "FER_ADMIN__LISTEN: nowhere:80 has a host name that can't be resolved here: write an IP address"


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EROFS, "read-only"),
        (errno.EACCES, "may not be written"),
        (errno.EPERM, "may not be written"),
        (errno.ENOTDIR, "no directory"),
        (errno.EEXIST, "no directory"),
        (errno.ENOSPC, "no space"),
        (errno.EDQUOT, "quota"),
    ],
)
def test_a_directory_that_cannot_be_used(number: int, words: str) -> None:
    said = str(cannot_store(Path("/data"), failed(number)))
    assert said.startswith("FER_DATA_DIR: /data ")
    assert words in said
    assert said.endswith("or set FER_DATA_DIR to another directory")
    assert "raw words" not in said


def test_what_is_not_foreseen_is_quoted_and_never_by_its_number() -> None:
    for said in (cannot_listen("FER_LISTEN", "a:1", failed(errno.EIO)), cannot_store(Path("d"), failed(errno.EIO))):
        assert "raw words" in str(said)
        assert "Errno" not in str(said)
    assert "(OSError)" in str(cannot_store(Path("d"), OSError()))
