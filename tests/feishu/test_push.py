import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from router.feishu import push
from router.feishu.callback import Challenge, Event, receive
from router.feishu.crypto import Cipher
from router.feishu.keys import NONCE, SIGNATURE, TIMESTAMP, Keyring
from router.feishu.samples import fresh, sample

NOW = 1608725991.25


@given(st.text(min_size=1), st.text(min_size=1))
def test_an_event_is_taken_by_who_has_the_same_secrets(key: str, token: str) -> None:
    for secret in (key, ""):
        body, headers = push.build(fresh(sample("corehr.department.updated_v2"), NOW, token), secret, NOW)
        assert isinstance(receive(Keyring([secret], [token]), "", CIMultiDict(headers), body, NOW), Event)
        assert headers["Content-Type"] == "application/json;charset=utf-8"
        assert all((name in headers) == bool(secret) for name in (TIMESTAMP, NONCE, SIGNATURE))


@given(st.text(min_size=1), st.text())
def test_a_challenge_comes_back(key: str, token: str) -> None:
    for secret in (key, ""):
        body, headers, value = push.challenge(secret, token)
        assert SIGNATURE not in headers
        result = receive(Keyring([secret], [token]), "", CIMultiDict(headers), body, NOW)
        if secret or token:
            assert result == Challenge(b'{"challenge":"%b"}' % value.encode()) or not token


@pytest.mark.parametrize("answer", [b"", b"{", b"[]", b"v", b'"v"', b'{"challenge":"w"}', b'{"challenge":"v","a":1}'])
def test_only_the_value_echoes_a_challenge(answer: bytes) -> None:
    assert push.echoes(b' {"challenge": "v"} ', "v")
    assert not push.echoes(answer, "v")


def test_the_wrapper_is_compact() -> None:
    body, _ = push.seal({"a": 1}, "k")
    assert body.startswith(b'{"encrypt":"')
    assert Cipher("k").decrypt(body[12:-2].decode()) == b'{"a":1}'
