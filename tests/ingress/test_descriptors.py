"""The limit of open files, in processes of their own."""

import subprocess
import sys

import pytest

from router.ingress.descriptors import RESERVE, room

ASK = """
import resource, sys
from router.ingress.descriptors import connections
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]), int(sys.argv[2])))
print(connections(int(sys.argv[3])), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(
    ("soft", "hard", "wanted", "connections", "now"),
    [
        (1000, 1000, 100, 100, 1000),
        (256, 1000, 400, 400, 912),
        (256, 1000, 800, 500, 1000),
        (64, 64, 100, 32, 64),
        (1000, 1000, 4096, 500, 1000),
    ],
)
def test_connections(soft: int, hard: int, wanted: int, connections: int, now: int) -> None:
    command = [sys.executable, "-c", ASK, str(soft), str(hard), str(wanted)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert [int(word) for word in said.split()] == [connections, now, hard]


def test_room() -> None:
    assert [room(limit) for limit in (1, 2, 256, 1024, 1_048_576)] == [1, 1, 128, 512, 1_048_576 - RESERVE]
