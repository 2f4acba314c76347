"""Signals to a process of its own: one asks, two end it."""

import asyncio
import os
import select
import signal
import subprocess
import sys

import pytest

from router.lifecycle.signals import SIGNALS, Stop, stop_on_signal

PATIENCE = 30.0
CHILD = """
import asyncio, sys
from router.lifecycle.signals import Stop, stop_on_signal

async def main():
    stop = Stop()
    with stop_on_signal(stop):
        print("ready", flush=True)
        await stop.wait()
        print("stopping", flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.mark.parametrize("number", SIGNALS)
async def test_the_first_signal_sets_stop_and_leaving_gives_the_signal_back(number: signal.Signals) -> None:
    before, stop = signal.getsignal(number), Stop()
    if before == signal.SIG_IGN:  # the tests run under nohup
        signal.signal(number, signal.SIG_DFL)
    with stop_on_signal(stop):
        os.kill(os.getpid(), number)
        await asyncio.wait_for(stop.wait(), PATIENCE)
    assert stop.by_hand == (number == signal.SIGINT)
    assert signal.getsignal(number) in (before, signal.default_int_handler, signal.SIG_DFL)


@pytest.mark.parametrize(("first", "second"), [("SIGTERM", "SIGTERM"), ("SIGTERM", "SIGINT"), ("SIGINT", "SIGTERM")])
def test_the_second_signal_ends_it_at_once(first: str, second: str) -> None:
    with subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(getattr(signal, first))
        assert child.stdout.readline() == "stopping\n"
        child.send_signal(getattr(signal, second))
        assert child.wait(PATIENCE) == 128 + getattr(signal, second)


def test_a_closed_terminal_says_so_twice_and_is_drained_all_the_same() -> None:
    with subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGHUP)
        assert child.stdout.readline() == "stopping\n"
        child.send_signal(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(0.3)
        child.send_signal(signal.SIGTERM)
        assert child.wait(PATIENCE) == 128 + signal.SIGTERM


def test_under_nohup_a_closed_terminal_is_nothing() -> None:
    nohup = ["nohup", sys.executable, "-c", CHILD]
    with subprocess.Popen(nohup, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGHUP)
        assert select.select([child.stdout], [], [], 0.3)[0] == []
        child.send_signal(signal.SIGTERM)
        assert child.stdout.readline() == "stopping\n"
        child.send_signal(signal.SIGTERM)
        assert child.wait(PATIENCE) == 128 + signal.SIGTERM
