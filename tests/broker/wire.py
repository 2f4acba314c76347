"""The requests that need no Kafka client: which nodes are there, what a user is allowed, and his password."""

import hashlib
import os
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


def controller(port: int) -> int:
    """Id of the node that leads the controllers' quorum (DescribeQuorum v0). Raises OSError."""
    topic = _compact(b"__cluster_metadata")
    answer = _ask(port, 55, 0, b"\0\2" + topic + b"\2" + struct.pack(">i", 0) + b"\0\0\0")
    (code, partition_code, leader) = struct.unpack_from(">h", answer, 1) + struct.unpack_from(
        ">hi", answer, 4 + len(topic) + 1 + 4
    )
    if code or partition_code:
        raise ConnectionError(f"DescribeQuorum refused with code {code or partition_code}")
    return int(leader)


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


def forbid(port: int, user: str, topic: str, *operations: int) -> None:
    """Take those operations away from a user (DeleteAcls v1)."""
    body = struct.pack(">i", len(operations))
    for operation in operations:
        body += b"\x02" + _text(topic) + b"\x03" + _text(f"User:{user}") + _text("*") + struct.pack(">bb", operation, 3)
    answer = _ask(port, 31, 1, body)
    (code,) = struct.unpack_from(">h", answer, 8)
    if code:
        raise AssertionError(f"DeleteAcls refused with code {code}")


def set_password(port: int, user: str, password: str) -> None:
    """Give a user another password for SCRAM-SHA-512 (AlterUserScramCredentials v0)."""
    salt, rounds = os.urandom(16), 4096
    salted = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, rounds)
    one = _compact(user.encode()) + struct.pack(">bi", 2, rounds) + _compact(salt) + _compact(salted) + b"\0"
    answer = _ask(port, 51, 0, b"\0" + b"\1\2" + one + b"\0")
    at = 1 + 4 + 1 + len(_compact(user.encode()))
    (code,) = struct.unpack_from(">h", answer, at)
    if code:
        raise AssertionError(f"AlterUserScramCredentials refused with code {code}")


def _compact(value: bytes) -> bytes:
    """A string or bytes in the newer ("flexible") requests; shorter than 127 here."""
    return bytes([len(value) + 1]) + value


def _text(value: str) -> bytes:
    return struct.pack(">h", len(value)) + value.encode()
