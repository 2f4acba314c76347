"""Ports for programs that are told where to listen, and are ended and started again."""

import random
import socket

_HELD: list[socket.socket] = []


def free_ports(count: int) -> list[int]:
    """Ports that nobody else gets while this process runs, below those that the system gives to outgoing connections."""
    ports: list[int] = []
    while len(ports) < count:
        port = random.randrange(20000, 32000)
        if hold(port):
            ports.append(port)
    return ports


def hold(port: int) -> bool:
    """Keep it from all who look for a free one, test processes beside us included; False when somebody else has it.

    It is bound here and never listened at, so a server that may reuse addresses, as they all do, can listen at it.
    """
    held = socket.socket()
    try:
        held.bind(("127.0.0.1", port))
    except OSError:
        held.close()
        return False
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    _HELD.append(held)
    return True
