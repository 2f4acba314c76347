"""The three requests that need no Kafka client: which nodes are there, and what a user is allowed."""

import socket
import struct


def _ask(port: int, api: int, version: int, body: bytes) -> bytes:
    """One request and its answer after the correlation id. Raises OSError."""
    head = struct.pack(">hhih4s", api, version, 1, 4, b"test")
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection, connection.makefile("rb") as answers:
        connection.sendall(struct.pack(">i", len(head + body)) + head + body)
        prefix = answers.read(4)
        answer = answers.read(struct.unpack(">i", prefix)[0]) if len(prefix) == 4 else b""
    if len(answer) < 8:
        raise ConnectionError(f"the node on port {port} closed the connection")
    return answer[4:]


def live_nodes(port: int) -> set[int]:
    """Ids of the nodes that the node on that port knows as alive (Metadata v5). Raises OSError."""
    answer = _ask(port, 3, 5, struct.pack(">ib", 0, 0))
    (count,) = struct.unpack_from(">i", answer, 4)
    at, found = 8, set()
    for _ in range(count):
        node, length = struct.unpack_from(">ih", answer, at)
        found.add(node)
        at += 6 + length + 4
        (rack,) = struct.unpack_from(">h", answer, at)
        at += 2 + max(rack, 0)
    return found


WRITE, CREATE, DESCRIBE, DESCRIBE_CONFIGS = 4, 5, 8, 10


def allow(port: int, user: str, topic: str, *operations: int) -> None:
    """Give a user those operations on a topic (CreateAcls v1), through a listener that takes super users."""
    body = struct.pack(">i", len(operations))
    for operation in operations:
        body += b"\x02" + _text(topic) + b"\x03" + _text(f"User:{user}") + _text("*") + struct.pack(">bb", operation, 3)
    answer = _ask(port, 30, 1, body)
    _, count = struct.unpack_from(">ii", answer)
    (code,) = struct.unpack_from(">h", answer, 8)
    if count != len(operations) or code:
        raise AssertionError(f"CreateAcls refused with code {code}")


def _text(value: str) -> bytes:
    return struct.pack(">h", len(value)) + value.encode()
