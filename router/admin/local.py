"""A second way in for whoever may read the data directory: a socket in it, guarded by the file's permissions."""

import os
import socket
import stat
import struct
from pathlib import Path

from router.ingress.connection import Connection

PATH_MAX = 100
"""What a socket's address can hold, and a little less."""


def bind(path: Path) -> socket.socket:
    """A socket at that path that only this user can open, in place of one that a crash left there. Raises OSError."""
    if path.is_symlink() or (path.exists() and not stat.S_ISSOCK(path.stat().st_mode)):
        raise FileExistsError(f"{path} is there and is no socket")
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        listener.bind(address(path, folder))
        path.chmod(0o600)  # before listen(): nobody could connect yet
    except OSError:
        listener.close()
        raise
    finally:
        os.close(folder)
    listener.setblocking(False)  # noqa: FBT003 - its parameter has no name
    return listener


def connect(path: Path, seconds: float) -> socket.socket:
    """A connection to that socket. Raises OSError."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(seconds)
        connection.connect(address(path, folder))
    except OSError:
        connection.close()
        raise
    finally:
        os.close(folder)
    return connection


def address(path: Path, folder: int) -> str:
    """The path, or where it is too long for a socket's address, a short way to it through the open folder."""
    return str(path) if len(os.fsencode(path)) <= PATH_MAX else f"/proc/self/fd/{folder}/{path.name}"


def caller(connection: Connection) -> str | None:
    """Who is at the other end of a local connection, by user and process number; None when it came over the network."""
    end = connection.transport.get_extra_info("socket")
    if end is None or end.family != socket.AF_UNIX:
        return None
    with socket.socket(fileno=os.dup(end.fileno())) as copy:
        process, user, _ = struct.unpack("3i", copy.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return f"local user {user}, process {process}"
