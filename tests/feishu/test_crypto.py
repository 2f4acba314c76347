import base64
import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.feishu.crypto import BLOCK, Cipher, DecryptError, same, sign, sign_card, to_bytes
from tests.feishu.vectors import ALL

IV = bytes(range(BLOCK))


@pytest.mark.parametrize("vector", ALL["crypto"], ids=lambda vector: vector["id"])
def test_crypto_vector(vector: dict[str, str]) -> None:
    cipher = Cipher(vector["encrypt_key"])
    assert cipher.decrypt(vector["encrypt"]).decode() == vector["plaintext"]
    if "iv_hex" in vector:
        assert hashlib.sha256(to_bytes(vector["encrypt_key"])).hexdigest() == vector["key_sha256"]
        assert cipher.encrypt(vector["plaintext"].encode(), bytes.fromhex(vector["iv_hex"])) == vector["encrypt"]


@pytest.mark.parametrize("vector", ALL["signatures"], ids=lambda vector: vector["id"])
def test_signature_vector(vector: dict[str, str]) -> None:
    parts = [vector[name].encode() for name in ("timestamp", "nonce", "key", "body")]
    assert sign(*parts) == vector["sha256"]
    assert sign_card(*parts) == vector["sha1"]


@given(st.text(), st.binary(), st.binary(min_size=BLOCK, max_size=BLOCK))
def test_encrypt_decrypt(key: str, plaintext: bytes, iv: bytes) -> None:
    cipher = Cipher(key)
    encrypted = cipher.encrypt(plaintext, iv)
    assert cipher.decrypt(encrypted) == plaintext
    assert Cipher(key).decrypt(encrypted) == plaintext


def test_it_is_cbc() -> None:
    from Crypto.Cipher import AES

    key = hashlib.sha256(b"k").digest()
    plaintext = b"sixteen bytes ea" * 5
    sealed = AES.new(key, AES.MODE_CBC, iv=IV).encrypt(plaintext + bytes([BLOCK]) * BLOCK)
    assert Cipher("k").encrypt(plaintext, IV) == base64.b64encode(IV + sealed).decode()


@given(st.text())
def test_other_text_is_not_decryptable(text: str) -> None:
    with pytest.raises(DecryptError):
        Cipher("k").decrypt(text[:40])


def test_every_failure_looks_the_same() -> None:
    good = Cipher("k").encrypt(b"{}", IV)
    bad = ["", "AAAA", "é", "\ud800", good + "\n", " " + good, good[:-1], good.replace("A", "-", 1), "=" + good]
    bad += [base64.b64encode(b"x" * 16).decode(), base64.b64encode(b"x" * 40).decode(), good + good]
    seen = set()
    for text in bad:
        with pytest.raises(DecryptError) as caught:
            Cipher("k").decrypt(text)
        seen.add(str(caught.value))
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert len(seen) == 1


@pytest.mark.parametrize("padding", [b"\x00" * 16, b"\x11" * 16, b"\x02" * 15 + b"\x03", b"a" * 15 + b"\x02"])
def test_padding_is_strict(padding: bytes) -> None:
    from Crypto.Cipher import AES

    sealed = AES.new(hashlib.sha256(b"k").digest(), AES.MODE_CBC, iv=IV).encrypt(b"{}" + b" " * 14 + padding)
    with pytest.raises(DecryptError):
        Cipher("k").decrypt(base64.b64encode(IV + sealed).decode())


def test_an_iv_of_another_length() -> None:
    with pytest.raises(ValueError, match="16"):
        Cipher("k").encrypt(b"", b"short")


@given(st.binary(), st.binary(), st.binary(), st.binary())
def test_sign_and_compare(timestamp: bytes, nonce: bytes, secret: bytes, body: bytes) -> None:
    signature = sign(timestamp, nonce, secret, body)
    assert same(signature, signature.encode())
    assert same(signature, signature.upper().encode())
    assert not same(signature, sign(timestamp, nonce, secret, body + b"x").encode())
    assert not same(signature, signature[:-1].encode())


@given(st.binary())
def test_comparing_never_raises(given_: bytes) -> None:
    assert not same(sign(b"", b"", b"", b""), given_[:63])


@given(st.text(st.characters()), st.text(st.characters()))
def test_to_bytes_keeps_texts_apart(left: str, right: str) -> None:
    assert (to_bytes(left) == to_bytes(right)) == (left == right)


def test_nothing_secret_in_a_repr() -> None:
    assert "hush-hush" not in repr(Cipher("hush-hush"))
    assert json.dumps(repr(Cipher("hush-hush")))
