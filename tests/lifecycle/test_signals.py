"""Signals to a process of its own: one asks, two end it."""

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from router.lifecycle.signals import SIGNALS, stop_on_signal

CHILD = """
import asyncio, sys
from router.lifecycle.signals import stop_on_signal

async def main():
    stop = asyncio.Event()
    with stop_on_signal(stop):
        print("ready", flush=True)
        await stop.wait()
        print("stopping", flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.mark.parametrize("number", SIGNALS)
async def test_the_first_signal_sets_stop_and_leaving_gives_the_signal_back(number: signal.Signals) -> None:
    before, stop = signal.getsignal(number), asyncio.Event()
    with stop_on_signal(stop):
        os.kill(os.getpid(), number)
        await asyncio.wait_for(stop.wait(), 2)
    assert signal.getsignal(number) in (before, signal.default_int_handler, signal.SIG_DFL)


@pytest.mark.parametrize(("first", "second"), [("SIGTERM", "SIGTERM"), ("SIGTERM", "SIGINT"), ("SIGINT", "SIGTERM")])
def test_the_second_signal_ends_it_at_once(first: str, second: str) -> None:
    with subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(getattr(signal, first))
        assert child.stdout.readline() == "stopping\n"
        child.send_signal(getattr(signal, second))
        assert child.wait(5) == 128 + getattr(signal, second)
