"""Events on to a real HTTP server."""

import asyncio
import ssl
from pathlib import Path

import click
import pytest
import trustme
from multidict import CIMultiDict

from router.commands.forward import Forward, Target
from router.feishu.callback import receive
from router.feishu.keys import Keyring
from router.feishu.results import Event
from sinks.contract import DELIVERED, Retry, Unavailable
from sinks.testing.events import make_envelope
from tests.doubles.receiver import Receiver, hang, raw_server, reply


def target(url: str, seconds: float = 30.0) -> Target:
    return Target(url, "a-key", "a-token", seconds)


async def test_an_event_is_pushed_on_as_feishu_would() -> None:
    async with Receiver() as receiver:
        forward = Forward(target(receiver.url))
        outcome, milliseconds, _ = await forward.push(make_envelope(1))
        await forward.close()
        assert outcome == DELIVERED
        assert milliseconds > 0
        [got] = receiver.requests
        result = receive(Keyring(["a-key"], ["a-token"]), "", CIMultiDict(got.headers), got.body, 0)
        assert isinstance(result, Event)
        assert result.envelope.id == "event-1"


async def test_the_connection_is_kept() -> None:
    async with Receiver() as receiver:
        forward = Forward(target(receiver.url))
        for number in range(3):
            await forward.push(make_envelope(number))
        await forward.close()
        assert len({request.peer for request in receiver.requests}) == 1


async def test_without_key_and_token_it_is_plain() -> None:
    async with Receiver() as receiver:
        forward = Forward(Target(receiver.url, "", "", 30.0))
        await forward.push(make_envelope(1))
        await forward.close()
        assert receiver.requests[0].body.startswith(b'{"schema":"2.0"')


async def test_what_the_program_answers_is_told() -> None:
    async with Receiver(behave=reply(500, b"no handler")) as receiver:
        forward = Forward(target(receiver.url))
        outcome, *_ = await forward.push(make_envelope(1))
        await forward.close()
        assert outcome == Retry("http_500", "answered 500 with: no handler")


async def test_a_program_that_takes_too_long() -> None:
    async with Receiver(behave=hang) as receiver:
        forward = Forward(target(receiver.url, 0.1))
        outcome, *_ = await forward.push(make_envelope(1))
        await forward.close()
        assert outcome == Retry("timeout", "no answer within --timeout (0.1 s)")


async def test_a_connection_that_is_not_made_in_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    async with Receiver(tls) as receiver:
        forward = Forward(target(receiver.url))
        assert (await forward.push(make_envelope(1))).outcome == DELIVERED
    async with raw_server(b"", port=receiver.port, answer_after=asyncio.Event()):
        outcome, *_ = await forward.push(make_envelope(2))
    await forward.close()
    assert outcome == Unavailable("connect_timeout", "no connection within 2 s")


async def test_an_empty_answer_is_explained_once_where_a_key_is_given() -> None:
    async with Receiver() as receiver:
        forward, plain = Forward(target(receiver.url)), Forward(Target(receiver.url, "", "a-token", 30.0))
        (first, _, hint), (second, _, then) = await forward.push(make_envelope(1)), await forward.push(make_envelope(2))
        receiver.behave = reply(200, b"ok")
        full = await forward.push(make_envelope(3))
        receiver.behave = reply()
        keyless = await plain.push(make_envelope(4))
        await forward.close()
        await plain.close()
    assert first == second == full.outcome == keyless.outcome == DELIVERED
    assert hint.startswith("without a body: ")
    assert "Encrypt Key" in hint
    assert then == "without a body"
    assert (full.remark, keyless.remark) == ("", "")


async def test_a_program_may_start_later_and_go_away_again() -> None:
    receiver = Receiver()
    await receiver.start()
    await receiver.stop()
    forward = Forward(target(receiver.url))
    outcome, *_ = await forward.push(make_envelope(1))
    assert isinstance(outcome, Unavailable)
    assert "connection refused" in outcome.detail
    await receiver.start()
    assert (await forward.push(make_envelope(1)))[0] == DELIVERED
    await receiver.stop()
    assert isinstance((await forward.push(make_envelope(2)))[0], Unavailable)
    async with receiver:
        assert (await forward.push(make_envelope(2)))[0] == DELIVERED
    await forward.close()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (Target("localhost:3000", "", "", 3.0), "--forward: expected a URL"),
        (Target("http://u:p@localhost/", "", "", 3.0), "--forward: no user or password"),
        (Target("http://localhost/", "one\ntwo", "", 3.0), "--encrypt-key-file: "),
        (Target("http://localhost/", "", "one\ntwo", 3.0), "--token-file: "),
        (Target("http://localhost/", "", "", 0.0), "--timeout: "),
    ],
)
def test_what_cannot_be_used_is_named_by_its_option(given: Target, words: str) -> None:
    with pytest.raises(click.UsageError) as caught:
        Forward(given)
    assert caught.value.message.startswith(words)
    assert "two" not in caught.value.message
    assert "BASIC" not in caught.value.message


def test_a_target_shows_no_secret() -> None:
    assert "a-key" not in repr(target("http://localhost/?key=s"))
