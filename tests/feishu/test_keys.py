import pytest
from multidict import CIMultiDict

from router.feishu.crypto import sign, sign_card
from router.feishu.keys import NONCE, SIGNATURE, TIMESTAMP, Keyring, Signature, read_signature

RING = Keyring(["k1", "", "k2"], ["t1", "", "t2"], "cli_1")


def test_nothing_secret_in_a_repr() -> None:
    assert repr(RING) == "Keyring(2 keys, 2 tokens, app_id='cli_1')"


def test_every_token_counts_and_nothing_else() -> None:
    assert RING.knows("t1")
    assert RING.knows("t2")
    for other in ("", "t", "T1", "t1 ", None, 1, ["t1"], {"t1": 1}, "\ud800"):
        assert not RING.knows(other)
    assert Keyring([], ["a-long-token-1"]).knows("a-long-token-1")
    for other in ("a-long-token-2", "a-long-token-", "a-long-token-1x"):
        assert not Keyring([], ["a-long-token-1"]).knows(other)
    assert not Keyring([], []).knows("")
    assert not Keyring([""], [""]).has_tokens


def test_the_signer_is_tried_first() -> None:
    first, second = RING.ciphers
    assert RING.ciphers_from(None) == RING.ciphers_from(first) == (first, second)
    assert RING.ciphers_from(second) == (second, first)
    assert RING.signer(Signature(b"1", b"2", sign(b"1", b"2", b"k2", b"x").encode()), b"x") is second
    assert RING.signer(Signature(b"1", b"2", b""), b"x") is None


def test_an_old_card_is_signed_with_a_token_not_a_key() -> None:
    def signed(secret: bytes) -> bool:
        return RING.signed_card(Signature(b"1", b"2", sign_card(b"1", b"2", secret, b"x").encode()), b"x")

    assert signed(b"t2")
    assert not signed(b"k1")
    assert not signed(b"")


@pytest.mark.parametrize("missing", [TIMESTAMP, NONCE, SIGNATURE])
def test_all_three_headers_or_none(missing: str) -> None:
    headers = CIMultiDict({TIMESTAMP.lower(): "1", NONCE.upper(): "2", SIGNATURE: "\udcff"})
    assert read_signature(headers) is not None
    del headers[missing]
    assert read_signature(headers) is None


@pytest.mark.parametrize(
    ("timestamp", "old"), [(b"100", False), (b"99", True), (b"", True), (b"x", True), (b"1e9", True)]
)
def test_older_than(timestamp: bytes, old: bool) -> None:
    assert Signature(timestamp, b"", b"").older_than(100.0) == old
