"""The socket in the data directory."""

import os
import socket
from pathlib import Path

import pytest

from router.admin import local


def serve_once(listener: socket.socket, path: Path) -> None:
    listener.listen()
    with local.connect(path, 5) as client:
        server, _ = listener.accept()
        with server:
            server.sendall(b"hello")
            assert client.recv(5) == b"hello"


@pytest.mark.parametrize("name", ["admin.sock", "a" * 120 + "/" + "b" * 100 + "/admin.sock"])
def test_only_this_user_may_use_it_however_long_its_path(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with local.bind(path) as listener:
        assert path.stat().st_mode & 0o777 == 0o600
        serve_once(listener, path)


def test_one_that_a_crash_left_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    local.bind(path).close()
    with pytest.raises(ConnectionRefusedError):
        local.connect(path, 5)
    with local.bind(path) as listener:
        serve_once(listener, path)


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_what_is_no_socket_stays(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "admin.sock"
    if kind == "file":
        path.write_text("precious")
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(tmp_path / "elsewhere")
    before = os.lstat(path)
    with pytest.raises(FileExistsError):
        local.bind(path)
    assert os.lstat(path).st_ino == before.st_ino


def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        local.connect(tmp_path / "admin.sock", 5)
    with pytest.raises(FileNotFoundError):
        local.connect(tmp_path / "no" / "admin.sock", 5)
