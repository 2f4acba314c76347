"""What goes wrong on the way to a router is said in words."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import trustme

from router.commands import client as module
from router.commands.client import ClientError, Door, HttpClient, NoRouterError, part
from tests.commands.routers import call, running
from tests.doubles.operators import MemoryOperators, letter, row


@contextmanager
def listening(answer: bytes | None) -> Iterator[int]:
    """A server that answers everything with these bytes; None: with silence."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)

        def serve() -> None:
            while not stop.is_set():
                try:
                    peer, _ = server.accept()
                except TimeoutError:
                    continue
                with peer:
                    peer.recv(65536)
                    if answer is None:
                        stop.wait(30)
                    else:
                        peer.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            stop.set()
            thread.join(10)


def door(port: int, **more: object) -> Door:
    return Door("here", "127.0.0.1", port)._replace(**more)  # type: ignore[arg-type] # fields by name


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(NoRouterError, match="no router answers at here"):
        HttpClient(door(port)).get("/sinks")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n<html", "is no Feishu Event Router's admin port"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", "is no Feishu Event Router's admin port"),
        (b'HTTP/1.1 404 N\r\nContent-Length: 16\r\n\r\n{"error":"path"}', "is no Feishu Event Router's admin port"),
        (
            b"HTTP/1.1 500 N\r\nContent-Length: 5\r\n\r\n<html",
            "failed (status 500), and says no more: look at the router's log",
        ),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "the connection to the router at here broke (BadStatusLine)"),
        (b"", "the connection to the router at here broke (RemoteDisconnected)"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{",
            "the connection to the router at here broke (IncompleteRead)",
        ),
        (b'HTTP/1.1 404 N\r\nContent-Length: 38\r\n\r\n{"detail":"not here; / lists what is"} ', "is too old for this"),
        (b'HTTP/1.1 409 N\r\nContent-Length: 17\r\n\r\n{"detail":"busy"}', "busy"),
    ],
)
def test_answers_that_are_none(answer: bytes, words: str) -> None:
    with listening(answer) as port, pytest.raises(ClientError) as caught:
        HttpClient(door(port)).get("/sinks")
    assert words in caught.value.message


def test_a_router_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.1)
    with listening(None) as port, pytest.raises(ClientError, match=r"gave no answer within 0\.1 s"):
        HttpClient(door(port)).get("/sinks")


def test_names_and_tls_that_fail() -> None:
    with pytest.raises(ClientError, match=r"the name nowhere\.invalid is not known"):
        HttpClient(Door("x", "nowhere.invalid", 9464)).get("/sinks")
    with listening(b"HTTP/1.1 400 Bad\r\n\r\n") as port, pytest.raises(ClientError, match="speaks no TLS"):
        HttpClient(door(port, tls=True)).get("/sinks")


def test_an_untrusted_certificate(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            peer, _ = server.accept()
            with peer, suppress(OSError):
                context.wrap_socket(peer, server_side=True)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(ClientError, match="is not trusted"):
            HttpClient(door(server.getsockname()[1], tls=True)).get("/sinks")
        thread.join(10)


def test_no_proxy_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with running(MemoryOperators({"iam": row("iam")}), tmp_path, beside=False) as router:
        assert router.call("sinks", "list").exit_code == 0


def test_too_many_conditions(tmp_path: Path) -> None:
    with running(MemoryOperators(kept=[letter(1)]), tmp_path) as router:
        many = [str(number) for number in range(1, 2000)]
        result = router.call("dead-letters", "replay", "--yes", *many)
        assert (result.exit_code, "too many conditions" in result.stderr) == (1, True)
        assert router.call("dead-letters", "replay", "--yes", *many[:300]).exit_code == 0


def test_the_token_is_in_no_repr() -> None:
    assert "s3cret" not in repr(Door("x", token="s3cret"))


def test_names_are_one_part_of_a_path() -> None:
    assert part("a/../b c") == "a%2F..%2Fb%20c"


def test_a_port_that_another_program_has() -> None:
    with listening(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi") as port:
        result = call("sinks", "list", "--admin", f"http://127.0.0.1:{port}")
        assert (result.exit_code, "no Feishu Event Router" in result.stderr) == (1, True)
