"""Why the router can't start, in words: which setting it is about, and what to do."""

import errno
import socket
from pathlib import Path

_LISTENING = {
    errno.EADDRINUSE: "is in use by another program (`ss -ltnp` names it): end that one, or choose another port",
    errno.EADDRNOTAVAIL: "is no address of this machine (`ip address` lists them): choose one of its own, or leave it"
    " out (`:8080`) for all of them",
    errno.EACCES: "may not be listened on by this user: choose a port from 1024 on",
    errno.EPERM: "may not be listened on by this user: choose a port from 1024 on",
    errno.EAFNOSUPPORT: "is of a family (IPv4, IPv6) that this machine doesn't have: choose an address of the other",
}
_STORING = {
    errno.EROFS: "is on a read-only file system: mount it writable",
    errno.EACCES: "may not be written by this user: give it to this user (chown)",
    errno.EPERM: "may not be written by this user: give it to this user (chown)",
    errno.ENOTDIR: "is no directory, or lies below a file: move that file",
    errno.EEXIST: "is no directory, or lies below a file: move that file",
    errno.ENOSPC: "has no space left: make room on its disk",
    errno.EDQUOT: "has no space left for this user: make room, or raise the quota",
}


class StartError(Exception):
    """The router can't start. The text names the setting that it is about and says what to do."""


def cannot_listen(variable: str, address: str, error: OSError) -> StartError:
    """For an address that can't be listened on. variable: the setting that it comes from."""
    if isinstance(error, socket.gaierror):
        why = "has a host name that can't be resolved here: write an IP address"
    else:
        why = _LISTENING.get(error.errno or 0) or f"can't be listened on ({_plain(error)}): choose another"
    return StartError(f"{variable}: {address} {why}")


def cannot_store(directory: Path, error: OSError) -> StartError:
    """For a data directory that the journal can't be kept in."""
    why = _STORING.get(error.errno or 0) or f"can't hold the journal ({_plain(error)}): see that it can be written"
    return StartError(f"FER_DATA_DIR: {directory} {why}, or set FER_DATA_DIR to another directory")


def _plain(error: OSError) -> str:
    return error.strerror or type(error).__name__
