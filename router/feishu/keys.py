"""What an app's pushes are checked against."""

import hmac
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from router.feishu.crypto import Cipher, same, sign, sign_card, to_bytes

TIMESTAMP = "X-Lark-Request-Timestamp"
NONCE = "X-Lark-Request-Nonce"
SIGNATURE = "X-Lark-Signature"


class Signature(NamedTuple):
    """The three signature headers of a push, as bytes."""

    timestamp: bytes
    nonce: bytes
    digest: bytes

    def older_than(self, limit: float) -> bool:
        """Whether it was made before `limit` (Unix seconds). A timestamp that is no number has no age and counts as old."""
        return not self.timestamp.isdigit() or len(self.timestamp) > 15 or int(self.timestamp) < limit


def read_signature(headers: Mapping[str, str]) -> Signature | None:
    """The signature headers, None unless all three came. `headers` must not care about case."""
    digest = headers.get(SIGNATURE)
    timestamp = headers.get(TIMESTAMP)
    nonce = headers.get(NONCE)
    if digest is None or timestamp is None or nonce is None:
        return None
    return Signature(to_bytes(timestamp), to_bytes(nonce), to_bytes(digest))


class Keyring:
    """The Encrypt Keys and verification tokens of one app, several of each while they rotate. Made once, shows nothing."""

    __slots__ = ("_tokens", "app_id", "ciphers")

    def __init__(self, encrypt_keys: Sequence[str], tokens: Sequence[str], app_id: str = "") -> None:
        self.ciphers = tuple(Cipher(key) for key in encrypt_keys if key)
        self._tokens = tuple(to_bytes(token) for token in tokens if token)
        self.app_id = app_id

    def __repr__(self) -> str:
        return f"Keyring({len(self.ciphers)} keys, {len(self._tokens)} tokens, app_id={self.app_id!r})"

    def trusting(self) -> "Keyring":
        """The same without tokens, for what has been checked before."""
        made = Keyring((), (), self.app_id)
        made.ciphers = self.ciphers
        return made

    @property
    def has_tokens(self) -> bool:
        """Whether a verification token is configured."""
        return bool(self._tokens)

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """Everything that must not show up in what is kept."""
        return (*self._tokens, *(cipher.secret for cipher in self.ciphers))

    def signer(self, signature: Signature, body: bytes) -> Cipher | None:
        """The key that signed this body, if one did."""
        timestamp, nonce, digest = signature
        for cipher in self.ciphers:
            if same(sign(timestamp, nonce, cipher.secret, body), digest):
                return cipher
        return None

    def ciphers_from(self, first: Cipher | None) -> tuple[Cipher, ...]:
        """All keys, the given one in front."""
        if first is None or first is self.ciphers[0]:
            return self.ciphers
        return (first, *(cipher for cipher in self.ciphers if cipher is not first))

    def signed_card(self, signature: Signature, body: bytes) -> bool:
        """Whether one of the tokens signed this old card callback."""
        timestamp, nonce, digest = signature
        return any(same(sign_card(timestamp, nonce, token, body), digest) for token in self._tokens)

    def knows(self, token: Any) -> bool:
        """Whether this is one of the verification tokens."""
        if not isinstance(token, str):
            return False
        given = to_bytes(token)
        for known in self._tokens:  # noqa: SIM110 - a generator costs more than the comparison
            if hmac.compare_digest(known, given):
                return True
        return False
