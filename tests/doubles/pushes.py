"""Pushes as Feishu sends them, made with the project's own crypto."""

import os
import time
from typing import Any

import orjson

from router.feishu.crypto import Cipher, sign

KEY = "test-encrypt-key"
TOKEN = "test-verification-token"


def event(event_id: str = "e-1", type_: str = "corehr.department.updated_v2", size: int = 0, **event: Any) -> bytes:
    """The plaintext of a schema 2.0 event; size adds that many bytes to its content."""
    header = {
        "event_id": event_id,
        "event_type": type_,
        "create_time": str(int(time.time() * 1000)),
        "token": TOKEN,
        "app_id": "cli_9f5343c580712544",
        "tenant_key": "2ca1d211f64f6438",
    }
    content = {"department_id": "7043711774159341101", **event}
    if size:
        content["note"] = "x" * size
    return orjson.dumps({"schema": "2.0", "header": header, "event": content})


def signed(plaintext: bytes, key: str = KEY, cipher: Cipher | None = None) -> tuple[dict[str, str], bytes]:
    """Headers and body of the encrypted, signed push of a plaintext."""
    cipher = cipher or Cipher(key)
    body = b'{"encrypt":"%s"}' % cipher.encrypt(plaintext, os.urandom(16)).encode()
    timestamp, nonce = str(int(time.time())), "9437964798"
    headers = {
        "Content-Type": "application/json;charset=utf-8",
        "User-Agent": "Go-http-client/1.1",
        "Accept-Encoding": "gzip",
        "X-Lark-Request-Timestamp": timestamp,
        "X-Lark-Request-Nonce": nonce,
        "X-Lark-Signature": sign(timestamp.encode(), nonce.encode(), cipher.secret, body),
    }
    return headers, body


def challenge(text: str = "hello") -> bytes:
    """The plaintext of a challenge."""
    return orjson.dumps({"type": "url_verification", "challenge": text, "token": TOKEN})
