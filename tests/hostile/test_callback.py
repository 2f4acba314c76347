"""Pushes made to hurt: nothing raises, nothing forged is kept, what is kept is exactly what came, and nothing grows."""

import base64
import json
import time
from decimal import Decimal
from typing import Any, NamedTuple

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from router.feishu.callback import Challenge, Event, Keyring, Quarantined, Refused, Result, receive
from router.feishu.crypto import Cipher, sign
from router.feishu.keys import NONCE, SIGNATURE, TIMESTAMP
from tests.hostile.examples import many
from tests.hostile.texts import ANY, LITERALS, NUMBERS, VALID, members, quoted

KEY, TOKEN, OTHER = "hostile-encrypt-key", "hostile-verification-token", "somebody-else's-key"
NOW = 1_608_725_991.0
MEBIBYTE = 1 << 20
CIPHERS = {key: Cipher(key) for key in (KEY, OTHER)}
RINGS = {"both": Keyring([KEY], [TOKEN]), "key": Keyring([KEY], []), "token": Keyring([], [TOKEN])}

text = st.sampled_from
token = text([TOKEN, "", "wrong", TOKEN.upper()]).map(json.dumps)
header_names = text(["event_id", "event_type", "create_time", "token", "app_id", "tenant_key", "odd"])
top_names = text(["schema", "header", "event", "uuid", "ts", "token", "type", "challenge", "action", "encrypt", "odd"])
header = members(ANY | token | quoted(), header_names)


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    """Like an event of schema 2.0 or 1.0, some of it replaced by anything, in any order, names perhaps twice."""
    type_ = draw(
        text(['"corehr.department.updated_v2"', '"card.action.trigger"', '"app_ticket"', '"\\u0061.b_v1"']) | ANY
    )
    proof = draw(token)
    event = draw(members(ANY, text(["department_id", "token", "app_ticket", "n"])) | ANY)
    if draw(st.booleans()):
        inner = f'{{"event_id":"e","event_type":{type_},"token":{proof},"create_time":{draw(LITERALS)}}}'
        parts = ['"schema":"2.0"', f'"header":{draw(st.just(inner) | header)}', f'"event":{event}']
    else:
        parts = ['"uuid":"e"', f'"token":{proof}', '"type":"event_callback"', f'"event":{{"type":{type_},"n":{event}}}']
    more = draw(st.lists(st.tuples(top_names.map(json.dumps), ANY).map(":".join), max_size=2))
    return ("{" + ",".join(draw(st.permutations([*parts, *more]))) + "}").encode("utf-8", "surrogatepass")


plaintexts = st.one_of(
    documents(), members(VALID, top_names).map(str.encode), ANY.map(str.encode), st.binary(max_size=60)
)


class Push(NamedTuple):
    headers: dict[str, str]
    body: bytes
    authentic: bool
    """Whether our key signed exactly this."""


def wrap(plaintext: bytes, key: str) -> bytes:
    return b'{"encrypt":"%s"}' % CIPHERS[key].encrypt(plaintext, bytes(16)).encode()


def signed(body: bytes, key: str = KEY) -> dict[str, str]:
    return {TIMESTAMP: "1608725990", NONCE: "n", SIGNATURE: sign(b"1608725990", b"n", key.encode(), body)}


@st.composite
def pushes(draw: st.DrawFn) -> Push:
    plaintext = draw(plaintexts)
    how = draw(text(["plain", "right", "right", "other key", "other signer", "no signature", "tampered", "recoded"]))
    body = plaintext if how == "plain" else wrap(plaintext, OTHER if how == "other key" else KEY)
    if how == "recoded":
        body = draw(
            text([body.replace(b"=", b""), body.replace(b"/", b"_"), body.replace(b'":"', b'":"\\n'), body[:-30]])
        )
    headers = {} if how == "no signature" else signed(body, OTHER if how == "other signer" else KEY)
    if how == "tampered":
        body = bytes([*body[:15], body[15] ^ 1, *body[16:]])
    return Push(headers, body, how not in ("no signature", "other signer", "tampered"))


def take(ring: Keyring, push: Push, **limits: Any) -> Result:
    return receive(ring, "hr", CIMultiDictProxy(CIMultiDict(push.headers)), push.body, NOW, **limits)


@many(2)
@given(push=pushes(), ring=text(sorted(RINGS)))
def test_only_what_is_authentic_is_kept(push: Push, ring: str) -> None:
    result = take(RINGS[ring], push)
    if isinstance(result, Event | Quarantined) and ring != "token":
        assert push.authentic
    if isinstance(result, Refused):
        assert result.status in (400, 401)
        assert result.reason.isalpha() or result.reason == "app_id"
    if isinstance(result, Quarantined):
        assert ring == "key" or TOKEN.encode() not in result.body
        assert KEY.encode() not in result.body
        assert len(result.body) <= 12 * len(push.body) + 4096
    if isinstance(result, Challenge):
        assert len(result.answer) <= 6 * len(push.body) + 100


@st.composite
def authentic(draw: st.DrawFn) -> bytes:
    """An event with the right token, written as nobody writes it."""
    type_ = draw(text(["corehr.department.updated_v2", "card.action.trigger", "app_ticket", "url.preview.get"]))
    content = text(["department_id", "token", "app_ticket", "n"])
    event = draw(members(VALID | NUMBERS, content, least=1) | VALID)
    proof = f'"token":"{TOKEN}"'
    if draw(st.booleans()):
        more = draw(text(["", ',"event_id":"e"', ',"odd":{"n":1.50}', ',"create_time":"1608725989000"']))
        parts = ['"schema":"2.0"', f'"header":{{"event_type":"{type_}",{proof}{more}}}', f'"event":{event}']
    else:
        inner = (
            f'{{"type":"{type_}",{event[1:]}'
            if event.startswith("{") and event[1:2] == '"'
            else f'{{"type":"{type_}"}}'
        )
        parts = ['"uuid":"e"', proof, '"ts":"1502199207.71"', f'"event":{inner}']
    if draw(st.booleans()):
        parts = draw(st.permutations([*parts, f'"odd":{draw(VALID)}']))
    return ("{" + ",".join(parts) + "}").encode()


@many(2)
@given(plaintext=authentic(), ring=text(["both", "token"]))
def test_an_envelope_is_what_came(plaintext: bytes, ring: str) -> None:
    push = Push({}, plaintext, authentic=True)
    if ring == "both":
        body = wrap(plaintext, KEY)
        push = Push(signed(body), body, authentic=True)
    result = take(RINGS[ring], push)
    came = exactly(plaintext)
    if not isinstance(result, Event):  # a number beyond all doubles, or the type was overwritten
        assert isinstance(result, Quarantined | Refused)
        return
    envelope = result.envelope
    kept = exactly(envelope.json)
    event = came.get("event", {})
    credential = {"app_ticket": "app_ticket", "card.action.trigger": "token", "url.preview.get": "token"}.get(
        envelope.type
    )
    if isinstance(event, dict) and credential:
        event.pop(credential, None)
    assert kept["data"] == event
    assert b"\n" not in envelope.json
    for name in ("id", "source", "type", "partitionkey", "time"):
        assert kept[name] == getattr(envelope, name)
        assert 0 < len(kept[name]) <= 1200, name
    assert len(envelope.json) <= 6 * len(plaintext) + 2048


def exactly(source: bytes) -> Any:
    """An independent reading: Python's, every digit kept, the last of equal names counts."""
    return json.loads(source, parse_float=Decimal, parse_int=Decimal)


HUGE = {
    "brackets": b"[" * MEBIBYTE,
    "nested": b"[" * 500_000 + b"]" * 500_000,
    "objects": b'{"a":' * 200_000,
    "lists": b"[" + b"[]," * 340_000 + b"1]",
    "members": b"{" + b",".join(b'"%d":{}' % n for n in range(90_000)) + b"}",
    "one name": b"{" + b'"a":1,' * 170_000 + b'"a":1}',
    "floats": b"[" + b"0.1," * 260_000 + b"1]",
    "digits": b"1" * MEBIBYTE,
    "fraction": b"[0." + b"1" * 1_000_000 + b"]",
    "quotes": b'"' * MEBIBYTE,
    "backslashes": b'["' + b"\\" * 1_000_000 + b'"]',
    "controls": b'{"a":"' + b"\\u0001" * 170_000 + b'"}',
    "private": b'{"a":"' + "\ue000".encode() * 340_000 + b'"}',
    "tokens": b'{"token":"' + b'token":"' * 120_000,
    "no text": b'{"a":"' + b"\xff" * 1_000_000 + b'"}',
    "zeros": bytes(MEBIBYTE),
}  # fmt: skip


@pytest.mark.parametrize("sealed", ["plain", "unsigned", "signed", "inside"])
@pytest.mark.parametrize("name", sorted(HUGE))
def test_a_mebibyte_of_anything_takes_no_time(name: str, sealed: str) -> None:
    content = HUGE[name]
    if sealed == "inside":  # an authentic event that carries it
        content = b'{"schema":"2.0","header":{"event_type":"a.b_v1","token":"%s"},"event":%s}' % (
            TOKEN.encode(),
            content,
        )
    body = content if sealed == "plain" else wrap(content, KEY)
    push = Push({} if sealed == "unsigned" else signed(body), body, authentic=sealed in ("signed", "inside"))
    begun = time.process_time()
    result = take(RINGS["both"], push)
    assert time.process_time() - begun < 5.0, "a push of a mebibyte must not stop the loop: something isn't linear"
    size = len(result.envelope.json) if isinstance(result, Event) else len(getattr(result, "body", b""))
    assert size <= 14 * len(body)
    assert isinstance(result, Refused) or sealed != "unsigned"


@many()
@given(junk=st.binary(max_size=80), cut=st.integers(0, 200), recoded=st.booleans())
def test_ciphertext_that_was_changed_tells_nothing(junk: bytes, cut: int, recoded: bool) -> None:
    good = base64.b64decode(orjson.loads(wrap(b'{"type":"url_verification"}', KEY))["encrypt"])
    changed = good[: cut % len(good)] + junk + good[cut % len(good) :] if recoded else junk
    body = b'{"encrypt":"%s"}' % base64.b64encode(changed)
    result = take(RINGS["key"], Push({}, body, authentic=False))
    assert result == Refused(401, "unsigned") or changed == good


@many()
@given(headers=st.dictionaries(text([TIMESTAMP, NONCE, SIGNATURE]), st.text(max_size=70), max_size=3), body=documents())
def test_no_headers_make_a_push_authentic(headers: dict[str, str], body: bytes) -> None:
    for ring in ("both", "key"):
        result = take(RINGS[ring], Push(headers, body, authentic=False), max_age=60.0)
        assert isinstance(result, Refused | Challenge)
