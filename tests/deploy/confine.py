"""Starts a program as Kubernetes would: `unshare --mount --net -- python confine.py ROOT DATA UID COMMAND…`.

Its root file system read-only, DATA at /data, an empty /tmp, a loopback of its own, no root, no new privileges.
The environment is handed on as it is.
"""

import ctypes
import fcntl
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path

SIOCSIFFLAGS, IFF_UP = 0x8914, 0x1
PR_SET_NO_NEW_PRIVS = 38


def raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))


def mount(*arguments: str) -> None:
    subprocess.run(["/bin/mount", *arguments], check=True)


def mount_all(root: str, data: str) -> None:
    mount("--make-rprivate", "/")
    mount("--bind", root, root)
    mount("--bind", data, f"{root}/data")
    mount("--rbind", "/dev", f"{root}/dev")
    mount("-t", "proc", "proc", f"{root}/proc")
    mount("-t", "tmpfs", "-o", "mode=1777", "tmpfs", f"{root}/tmp")
    mount("-o", "remount,bind,ro", root)


def main() -> None:
    root, data, user, *command = sys.argv[1:]
    raise_loopback()
    mount_all(root, data)
    os.chroot(root)
    os.chdir("/data")
    os.setgroups([])
    os.setgid(int(user))
    os.setuid(int(user))
    if ctypes.CDLL(None).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError("no_new_privs was refused")
    program = next(path for entry in os.environ["PATH"].split(":") if (path := Path(entry, command[0])).exists())
    os.execv(program, command)


if __name__ == "__main__":
    main()
