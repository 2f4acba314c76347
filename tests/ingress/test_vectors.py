"""Every vector of the protocol over real HTTP, each against an empty journal, outcome by outcome."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.doubles.commanded_journal import CommandedJournal
from tests.doubles.raw_http import Answer, request
from tests.doubles.webhooks import app, settings, webhook

VECTORS: list[dict[str, Any]] = json.loads(Path(__file__).parent.parent.joinpath("feishu/vectors.json").read_bytes())[
    "vectors"
]
STATUS = {
    "accept": 200, "callback": 200, "challenge": 200, "quarantine": 200,
    "reject-400": 400, "reject-401": 401, "reject-405": 405, "reject-413": 413,
}  # fmt: skip


def body_of(push: dict[str, Any]) -> bytes:
    if recipe := push.get("body_recipe"):
        body = b"".join(text.encode() * count for text, count in recipe["parts"])
    elif push.get("body") is not None:
        body = push["body"].encode()
    else:
        body = base64.b64decode(push["body_base64"])
    assert (len(body), hashlib.sha256(body).hexdigest()) == (push["body_len"], push["body_sha256"])
    return body


def outcome(answer: Answer, journal: CommandedJournal) -> str:
    """What became of the push, by everything that can be seen of it."""
    kept = len(journal.events), len(journal.letters)
    if answer.status != 200:
        assert kept == (0, 0)
        return f"reject-{answer.status}"
    if kept == (0, 1):
        assert json.loads(answer.body) == {"msg": "success"}
        return "quarantine"
    if kept == (1, 0):
        return "callback" if json.loads(answer.body) == {} else "accept"
    assert kept == (0, 0)
    assert "challenge" in json.loads(answer.body)
    return "challenge"


@pytest.mark.asyncio(loop_factories=["uvloop"])
@pytest.mark.parametrize("unusual", [{}, {"Connection": "Keep-Alive"}], ids=["ordinary", "aiohttp"])
@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
async def test_vector(vector: dict[str, Any], unusual: dict[str, str]) -> None:
    journal = CommandedJournal()
    config, push, expected = vector["config"], vector["request"], vector["expect"]
    headers = {name: value.encode("utf-8", "surrogateescape") for name, value in (push["headers"] | unusual).items()}
    chosen = settings({"": app(config["encrypt_key"], config["verification_token"])})
    async with webhook(chosen, journal) as hook:
        answer = await hook.push(request(body_of(push), headers, method=push["method"], path=push["path"]))
    got = outcome(answer, journal)
    assert got in {expected["outcome"], *expected.get("also_allowed", [])}
    assert answer.status == STATUS[got]
    if got == "challenge" and "response_json" in expected:
        assert json.loads(answer.body) == expected["response_json"]
    if got in {"accept", "callback"} and "event_type" in expected:
        (event,) = journal.events
        assert event.type == expected["event_type"]
        if expected["event_id"]:
            assert event.id == expected["event_id"]
    if got == "quarantine":
        assert journal.letters[0].reason
        assert config["verification_token"].encode() not in journal.letters[0].body or not config["verification_token"]
