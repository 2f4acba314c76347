"""The webhook as Feishu meets it: paths, methods, bodies, answers."""

import asyncio

import orjson
import pytest

from router.ingress.webhook import app_paths, plain_path
from router.settings.model import AppSettings
from tests.doubles import pushes
from tests.doubles.commanded_journal import CommandedJournal
from tests.doubles.raw_http import request
from tests.doubles.sending import good
from tests.doubles.webhooks import app, settings, webhook


async def test_an_event_is_stored_then_answered_200() -> None:
    journal = CommandedJournal()
    async with webhook(journal=journal) as hook:
        answer = await hook.push(good())
        assert (answer.status, answer.body) == (200, b'{"msg":"success"}')
        assert answer.headers["content-type"] == "application/json"
        assert [event.id for event in journal.events] == ["e-1"]
        assert hook.count("received", app="") == hook.count("stored", app="") == 1
        assert hook.telemetry.registry.get_sample_value("fer_durable_seconds_count") == 1


async def test_no_answer_before_the_commit() -> None:
    journal = CommandedJournal(auto=False)
    async with webhook(journal=journal) as hook, hook.client() as client:
        await client.send(good())
        await journal.wait_appended(1)
        with pytest.raises(TimeoutError):
            await client.answer(patience=0.2)
        assert hook.server.in_flight == 1
        journal.commit()
        assert (await client.answer()).status == 200
        assert hook.server.in_flight == 0


async def test_a_copy_is_answered_200_and_counted() -> None:
    journal = CommandedJournal()
    async with webhook(journal=journal) as hook:
        assert [(await hook.push(good())).status for _ in range(2)] == [200, 200]
        assert len(journal.events) == hook.count("duplicates", app="") == 1


async def test_a_challenge_is_answered_with_its_text() -> None:
    headers, body = pushes.signed(pushes.challenge('h\u00e9"llo'))
    async with webhook() as hook:
        answer = await hook.push(request(body, {"Content-Type": headers["Content-Type"]}))
        assert (answer.status, orjson.loads(answer.body)) == (200, {"challenge": 'h\u00e9"llo'})
        assert hook.count("challenges", app="") == 1


async def test_a_card_callback_is_stored_and_answered_with_an_empty_object() -> None:
    journal = CommandedJournal()
    headers, body = pushes.signed(pushes.event(type_="card.action.trigger", action={"tag": "button"}))
    async with webhook(journal=journal) as hook:
        answer = await hook.push(request(body, headers))
        assert (answer.status, answer.body, len(journal.events)) == (200, b"{}", 1)


@pytest.mark.parametrize("path", ["/webhook/event", "/webhook/event/", "/webhook/event?a=b", "/webhook/event/?a=/"])
async def test_the_short_form_has_the_bare_path(path: str) -> None:
    async with webhook() as hook:
        assert (await hook.push(good(path=path))).status == 200


@pytest.mark.parametrize("path", ["/", "/webhook", "/webhook/event/hr", "/webhook/events", "/webhook/event//"])
async def test_other_paths_are_404(path: str) -> None:
    async with webhook() as hook:
        answer = await hook.push(good(path=path))
        assert (answer.status, answer.body) == (404, b'{"error":"path"}')
        assert hook.refused("path", 404) == 1
        assert hook.count("received", app="") == 0


async def test_each_app_has_a_path_and_keys_of_its_own() -> None:
    journal = CommandedJournal()
    chosen = settings({"hr": app("key-of-hr"), "it": app()})
    async with webhook(chosen, journal) as hook:
        assert (await hook.push(good(path="/webhook/event/it"))).status == 200
        assert (await hook.push(good(path="/webhook/event/it/"))).status == 200
        assert (await hook.push(good(path="/webhook/event/hr"))).status == 401
        assert (await hook.push(good())).status == 404
        assert hook.count("stored", app="it") == 1
        assert hook.refused("signature", 401, app="hr") == 1


async def test_other_methods_are_405_and_say_what_this_is() -> None:
    async with webhook() as hook:
        for method in ("GET", "PUT", "DELETE", "OPTIONS"):
            answer = await hook.push(request(method=method))
            assert answer.status == 405
            assert answer.headers["allow"] == "POST"
            assert answer.body.count(b"\n") == 1
            assert b"webhook" in answer.body
        assert hook.refused("method", 405) == 4


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "nonsense", ""])
async def test_the_content_type_is_no_reason_to_refuse(content_type: str) -> None:
    headers, body = pushes.signed(pushes.event())
    async with webhook() as hook:
        assert (await hook.push(request(body, headers | {"Content-Type": content_type}))).status == 200


async def test_a_compressed_body_is_415_and_never_unpacked() -> None:
    headers, body = pushes.signed(pushes.event())
    async with webhook() as hook:
        answer = await hook.push(request(body, headers | {"Content-Encoding": "gzip"}))
        assert (answer.status, hook.refused("content_encoding", 415)) == (415, 1)
        assert (await hook.push(request(body, headers | {"Content-Encoding": "Identity"}))).status == 200


async def test_a_wrong_signature_is_401_and_logged_with_the_sender_but_without_content() -> None:
    headers, body = pushes.signed(pushes.event("secret-id"), key="another key")
    forwarded = {"X-Forwarded-For": "6.6.6.6, 203.0.113.9"}
    async with webhook(trusted_proxies=["127.0.0.0/8"]) as hook:
        answer = await hook.push(request(body, headers | forwarded))
        assert (answer.status, answer.body) == (401, b'{"error":"signature"}')
        line = orjson.loads(hook.log.getvalue())
        assert (line["event"], line["client"], line["reason"]) == ("push_refused", "203.0.113.9", "signature")
        assert body.decode() not in hook.log.getvalue()
        for _ in range(5):
            await hook.push(request(body, headers))
        assert hook.refused("signature", 401) == 6
        assert hook.log.getvalue().count("push_refused") == 1, "refusals must not flood the log"


async def test_an_authentic_push_that_is_not_understood_is_kept_and_answered_200() -> None:
    journal = CommandedJournal()
    headers, body = pushes.signed(b"[]")
    async with webhook(journal=journal) as hook:
        answer = await hook.push(request(body, headers))
        assert (answer.status, answer.body) == (200, b'{"msg":"success"}')
        (letter,) = journal.letters
        assert (letter.lane, letter.position, journal.events) == ("ingress", None, [])
        assert hook.count("quarantined", app="", reason=letter.reason) == 1


async def test_many_pushes_on_one_connection() -> None:
    async with webhook() as hook, hook.client() as client:
        answers = [await client.push(good(f"e-{n}")) for n in range(20)]
        assert {answer.status for answer in answers} == {200}
        assert "connection" not in answers[-1].headers


async def test_pipelined_pushes_are_answered_in_order() -> None:
    async with webhook() as hook, hook.client() as client:
        bad = request(b"{}", {"X-Lark-Signature": "x"})
        await client.send(b"".join([good("e-1"), bad, good("e-2"), request(method="GET"), good("e-3")]))
        assert [(await client.answer()).status for _ in range(5)] == [200, 401, 200, 405, 200]


async def test_http_1_0_is_answered_and_closed() -> None:
    async with webhook() as hook, hook.client() as client:
        answer = await client.push(good().replace(b"HTTP/1.1", b"HTTP/1.0"))
        assert answer.status == 200
        assert await client.rest() == b""


async def test_a_drain_ends_connections_with_their_answers_and_finishes_what_was_accepted() -> None:
    journal = CommandedJournal(auto=False)
    async with webhook(journal=journal) as hook, hook.client() as idle, hook.client() as busy:
        await busy.send(good())
        await journal.wait_appended(1)
        hook.server.drain()
        async with hook.client() as late:
            await late.send(good("e-2"))
            await journal.wait_appended(2)
            stopping = asyncio.create_task(hook.server.stop_accepting(5))
            assert await idle.rest() == b"", "an idle connection ends at once"
            assert not hook.server.listening
            with pytest.raises(ConnectionRefusedError):
                await hook.push(good("e-3"))
            journal.commit()
            for client in (busy, late):
                answer = await client.answer()
                assert (answer.status, answer.headers["connection"]) == (200, "close")
                assert await client.rest() == b""
        assert await stopping == 0


async def test_stopping_is_bounded_and_says_how_many_are_left() -> None:
    journal = CommandedJournal(auto=False)
    async with webhook(journal=journal) as hook, hook.client() as client:
        await client.send(good())
        await journal.wait_appended(1)
        assert await hook.server.stop_accepting(0.1) == 1
        await hook.server.close()
        await hook.server.close()
        assert await client.rest() == b""


def test_paths_without_any_app_serve_the_short_form() -> None:
    assert list(app_paths({})) == ["/webhook/event"]
    assert list(app_paths({"hr": AppSettings()})) == ["/webhook/event/hr"]
    assert not app_paths({"hr": AppSettings(mode="long_connection")})
    assert list(app_paths({"hr": app().model_copy(update={"mode": "long_connection"})})) == ["/webhook/event/hr"]


@pytest.mark.parametrize(
    ("raw", "plain"),
    [("/a", "/a"), ("/a/", "/a"), ("/a//", "/a/"), ("/a?b=/", "/a"), ("/", ""), ("", ""), ("*", "*")],
)
def test_plain_path(raw: str, plain: str) -> None:
    assert plain_path(raw) == plain
