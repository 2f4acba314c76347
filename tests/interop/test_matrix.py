"""Five events, two roads in, four SDKs by two roads out: every field of every event, on all eighty ways."""

from pathlib import Path

import pytest

from tests.interop import matrix
from tests.interop.matrix import OK

pytestmark = [pytest.mark.interop, pytest.mark.timeout(600)]


async def test_every_event_comes_unharmed_on_every_way(tmp_path: Path) -> None:
    ways = await matrix.walk(tmp_path)
    print(matrix.table(ways))
    assert len(ways) == 80
    assert not {way: said for way, said in ways.items() if said != OK}
