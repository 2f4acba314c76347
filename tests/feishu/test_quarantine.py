import base64
import hashlib
import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.feishu.callback import Quarantined, receive
from router.feishu.crypto import Cipher, sign
from router.feishu.keys import NONCE, SIGNATURE, TIMESTAMP, Keyring

KEY, TOKEN, TICKET = "the-encrypt-key", "the-verification-token", "t-app-ticket-0001"
NOW = 1608725991.25


def quarantined(body: bytes) -> Quarantined:
    headers = {TIMESTAMP: "1", NONCE: "2", SIGNATURE: sign(b"1", b"2", KEY.encode(), body)}
    result = receive(Keyring([KEY], [TOKEN]), "hr", headers, body, NOW)
    assert isinstance(result, Quarantined)
    assert result.event_id == hashlib.sha256(body).hexdigest()
    return result


def letter_of(body: bytes) -> dict[str, Any]:
    letter: dict[str, Any] = orjson.loads(quarantined(body).body)
    return letter


def wrapped(plaintext: bytes) -> bytes:
    return orjson.dumps({"encrypt": Cipher(KEY).encrypt(plaintext, b"0123456789abcdef")})


def test_the_letter_of_a_plain_push() -> None:
    body = b'{"token": "' + TOKEN.encode() + b'", "app_ticket" : "' + TICKET.encode() + b'", "n": 1.10'
    result = quarantined(body)
    assert (result.reason, result.step, result.type) == ("json", "body", "")
    assert orjson.loads(result.body) == {
        "app": "hr",
        "received": "2020-12-23T12:19:51.250Z",
        "step": "body",
        "reason": "json",
        "detail": result.detail,
        "push": '{"token": "***", "app_ticket" : "***", "n": 1.10',
    }


def test_the_letter_of_an_encrypted_push() -> None:
    body = wrapped(orjson.dumps({"schema": "2.0", "header": {"token": TOKEN, "event_type": 7}}))
    result = quarantined(body)
    letter = orjson.loads(result.body)
    assert letter["push"] == body.decode()
    assert json.loads(letter["plaintext"]) == {"schema": "2.0", "header": {"token": "***", "event_type": 7}}
    assert (letter["reason"], letter["step"]) == ("envelope", "envelope")


def test_garbage_is_kept_as_ciphertext_only() -> None:
    body = wrapped(b"\xff\xfe{}")
    letter = letter_of(body)
    assert letter["push"] == body.decode()
    assert "plaintext" not in letter
    assert letter["step"] == "plaintext"


def test_a_push_that_is_no_text() -> None:
    body = b'\xff{"token":"' + TOKEN.encode() + b'"}'
    letter = letter_of(body)
    assert base64.b64decode(letter["push_base64"]) == b'\xff{"token":"***"}'
    assert "push" not in letter


def test_type_and_app_are_told_when_the_push_says_them() -> None:
    deep = b"[" * 150 + b"]" * 150
    body = b'{"schema":"2.0","header":{"event_type":"a.b_v1","app_id":"cli_1"},"event":{"x":' + deep + b"}}"
    assert (quarantined(body).type, quarantined(body).app_id) == ("a.b_v1", "cli_1")
    early = quarantined(b'{"event":{"type":"message","app_id":"cli_2"}}')
    assert (early.type, early.app_id) == ("message", "cli_2")
    nothing = quarantined(b'{"event":{"type":7,"app_id":["cli_2"]}}')
    assert (nothing.type, nothing.app_id) == ("", "")


@pytest.mark.parametrize("text", ['{"encrypt":"!"}', '{"encrypt":null}', "[]", "", "null", '{"encrypt":"AAAA"}'])
def test_detail_holds_nothing_of_the_push(text: str) -> None:
    result = quarantined(text.encode())
    assert text == "" or text not in result.detail
    assert result.detail


@given(
    st.sampled_from(["token", "app_ticket"]),
    st.lists(
        st.sampled_from(['"', "\\", "{", "}", ":", ",", " ", "\n", "a", '"x"', '":', "\\u0041", "é"]), max_size=12
    ),
    st.lists(st.sampled_from(['"', "\\", "{", "}", ":", ",", " ", "a"]), max_size=6),
    st.sampled_from([":", " : ", "\n:\t"]),
    st.booleans(),
)
def test_no_credential_survives_any_surroundings(
    name: str, before: list[str], after: list[str], colon: str, sealed: bool
) -> None:
    broken = "".join(before) + f' "{name}"{colon}"s3cr\\"et-{TICKET}"' + "".join(after) + TOKEN
    body = ("]" + broken).encode()
    result = quarantined(wrapped(body) if sealed else body)
    for secret in (TOKEN, TICKET, KEY):
        assert secret.encode() not in result.body


def test_an_escaped_name_is_a_name() -> None:
    body = b'{"\\u0074oken":"' + TICKET.encode() + b'","header":1,"schema":1}'
    assert TICKET.encode() not in quarantined(body).body
