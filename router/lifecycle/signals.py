"""The first signal to stop asks for a drain, the second ends the process at once."""

import asyncio
import errno
import os
import signal
import termios
from collections.abc import Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Stop(asyncio.Event):
    """Set when the router shall end. by_hand: by Ctrl-C, so that there is no load balancer that must notice first."""

    by_hand = False


@contextmanager
def stop_on_signal(stop: Stop) -> Iterator[None]:
    """Set `stop` at the first SIGTERM, SIGINT or SIGHUP. Gives the signals back when left.

    The second one leaves without any clean-up, by the status that the signal itself would give: what was answered is
    durable, and what was not written is delivered again after the next start. SIGHUP never does, as a terminal that is
    closed sends it twice; one that is ignored (nohup) stays so.
    """
    loop = asyncio.get_running_loop()

    def received(number: int) -> None:
        if number == signal.SIGHUP:
            _leave_terminal()
        elif stop.is_set():
            os._exit(128 + number)
        else:
            stop.by_hand = number == signal.SIGINT
        stop.set()

    taken = [number for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN or number != signal.SIGHUP]
    for number in taken:
        loop.add_signal_handler(number, received, number)
    try:
        yield
    finally:
        for number in taken:
            loop.remove_signal_handler(number)


def _leave_terminal() -> None:
    """Let output to a terminal that is gone go nowhere: each line would be an error in the midst of the drain."""
    for handle in (1, 2):
        try:
            termios.tcgetattr(handle)
        except termios.error as error:
            if error.args[0] == errno.EIO:
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, handle)
                os.close(nowhere)
