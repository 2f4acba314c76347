"""The router runs on uvloop; asyncio's loop is the fallback, and differs in transports and half-closed sockets."""

import asyncio
from collections.abc import Callable, Iterator

import pytest
import uvloop


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


@pytest.fixture(autouse=True)
def nothing_goes_wrong_behind_our_back(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """What event loops and aiohttp only log (a callback that raised, a task nobody awaited) fails the test."""
    yield
    assert [record.getMessage() for record in caplog.get_records("call")] == []
