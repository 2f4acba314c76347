"""Attacks run on the router's own event loop; what it only logs fails them."""

import asyncio
from collections.abc import Callable

import pytest
import uvloop

from tests.ingress.conftest import nothing_goes_wrong_behind_our_back

__all__ = ["nothing_goes_wrong_behind_our_back"]


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop}
