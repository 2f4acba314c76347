"""A push as Feishu makes it, for the other direction: trying out a router, or feeding receivers in Feishu's own format."""

import secrets
from typing import Any

import orjson

from router.feishu.crypto import BLOCK, Cipher, sign
from router.feishu.keys import NONCE, SIGNATURE, TIMESTAMP

USER_AGENT = "Go-http-client/1.1"


def build(push: dict[str, Any] | bytes, encrypt_key: str, now: float) -> tuple[bytes, dict[str, str]]:
    """(body, headers) of an event: encrypted and signed with the key, plain where the key is empty.

    push: the document, or its JSON; now: Unix seconds.
    """
    body, headers = seal(push, encrypt_key)
    if encrypt_key:
        timestamp, nonce = str(int(now)), f"{secrets.randbelow(10**10):010d}"
        signature = sign(timestamp.encode(), nonce.encode(), encrypt_key.encode(), body)
        headers |= {TIMESTAMP: timestamp, NONCE: nonce, SIGNATURE: signature}
    return body, headers


def challenge(encrypt_key: str, token: str) -> tuple[bytes, dict[str, str], str]:
    """(body, headers, the value to be echoed): encrypted with the key, never signed."""
    value = secrets.token_urlsafe(16)
    return (*seal({"challenge": value, "token": token, "type": "url_verification"}, encrypt_key), value)


def echoes(answer: bytes, value: str) -> bool:
    """Whether a receiver's answer to a challenge is its value, and nothing else."""
    try:
        return bool(orjson.loads(answer) == {"challenge": value})
    except ValueError:
        return False


def seal(document: dict[str, Any] | bytes, encrypt_key: str) -> tuple[bytes, dict[str, str]]:
    """(body, headers) without a signature. The wrapper is compact: one official SDK verifies nothing else."""
    body = document if isinstance(document, bytes) else orjson.dumps(document)
    if encrypt_key:
        body = orjson.dumps({"encrypt": Cipher(encrypt_key).encrypt(body, secrets.token_bytes(BLOCK))})
    return body, {"Content-Type": "application/json;charset=utf-8", "User-Agent": USER_AGENT}
