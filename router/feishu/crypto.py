"""Feishu's encryption and signatures.

Encryption: AES-256-CBC, key = SHA-256 of the Encrypt Key, the first block is the IV, PKCS#7 padding, standard base64.
Signatures: hex of SHA-256 (events) or SHA-1 (old cards) over timestamp, nonce, secret and the body's exact bytes, one after
another; no HMAC. Source: Feishu, "Encryption strategy" and "Event security verification".
"""

import binascii
import hashlib
import hmac

from Crypto.Cipher import AES

BLOCK = 16
_PADS = [bytes([n]) * n for n in range(BLOCK + 1)]


class DecryptError(Exception):
    """What came can't be decrypted. One class and one text for every cause, so that nothing can be learnt from it."""

    def __init__(self) -> None:
        super().__init__("not decryptable with this key")


class Cipher:
    """One Encrypt Key, made ready once.

    The AES object works block by block (ECB), which keeps no state; chaining is one XOR with the ciphertext before. A new
    CBC object for each push would cost more than the decryption.
    """

    __slots__ = ("_aes", "_key", "secret")

    def __init__(self, encrypt_key: str) -> None:
        self.secret = to_bytes(encrypt_key)
        self._key = hashlib.sha256(self.secret).digest()
        self._aes = AES.new(self._key, AES.MODE_ECB)

    def decrypt(self, encrypted: str) -> bytes:
        """Give the plaintext of an `encrypt` value. Raises DecryptError."""
        try:
            blob = binascii.a2b_base64(encrypted, strict_mode=True)
        except ValueError:
            raise DecryptError from None
        size = len(blob) - BLOCK
        if size < BLOCK or size % BLOCK:
            raise DecryptError
        plain = _xor(self._aes.decrypt(blob[BLOCK:]), blob[:-BLOCK])
        pad = plain[-1]
        if not 1 <= pad <= BLOCK or not plain.endswith(_PADS[pad]):
            raise DecryptError
        return plain[:-pad]

    def encrypt(self, plaintext: bytes, iv: bytes) -> str:
        """Give the `encrypt` value of a plaintext. iv: 16 random bytes. Raises ValueError for another length."""
        if len(iv) != BLOCK:
            raise ValueError(f"the IV must have {BLOCK} bytes, not {len(iv)}")
        padded = plaintext + _PADS[BLOCK - len(plaintext) % BLOCK]
        sealed = AES.new(self._key, AES.MODE_CBC, iv=iv).encrypt(padded)
        return binascii.b2a_base64(iv + sealed, newline=False).decode()


def sign(timestamp: bytes, nonce: bytes, secret: bytes, body: bytes) -> str:
    """Signature of events and new callbacks; secret is the Encrypt Key. Lower-case hex."""
    return hashlib.sha256(b"".join((timestamp, nonce, secret, body))).hexdigest()


def sign_card(timestamp: bytes, nonce: bytes, secret: bytes, body: bytes) -> str:
    """Signature of old card callbacks; secret is the verification token. Lower-case hex."""
    return hashlib.sha1(b"".join((timestamp, nonce, secret, body))).hexdigest()  # noqa: S324 - Feishu's choice


def same(expected: str, given: bytes) -> bool:
    """Compare a signature made here with the one that came, in constant time; hex of either case."""
    return hmac.compare_digest(expected.encode(), given.lower())


def to_bytes(text: str) -> bytes:
    """UTF-8 of a setting or header; never raises, and different texts stay different (undecodable header bytes, too)."""
    return text.encode("utf-8", "surrogatepass")


def _xor(left: bytes, right: bytes) -> bytes:
    return (int.from_bytes(left, "big") ^ int.from_bytes(right, "big")).to_bytes(len(left), "big")
