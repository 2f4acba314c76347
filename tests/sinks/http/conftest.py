"""Sinks that are closed when the test ends."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from sinks.http.settings import HttpSettings
from sinks.http.sink import HttpSink

OpenSink = Callable[..., Awaitable[HttpSink]]


@pytest.fixture
async def open_sink() -> AsyncIterator[OpenSink]:
    """`await open_sink(url=…, …)` → an open sink."""
    async with AsyncExitStack() as stack:

        async def opened(**settings: object) -> HttpSink:
            sink = HttpSink(HttpSettings.model_validate({"type": "http", **settings}))
            stack.push_async_callback(sink.close)
            await sink.open()
            return sink

        yield opened
