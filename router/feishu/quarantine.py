"""What is kept of an authentic push that wasn't understood."""

import base64
import hashlib
from typing import Any

import orjson

from router.feishu import times
from router.feishu.envelopes import is_attribute
from router.feishu.keys import Keyring
from router.feishu.masking import mask
from router.feishu.results import FlawError, Quarantined


def quarantined(keyring: Keyring, app: str, body: bytes, now: float, flaw: FlawError) -> Quarantined:
    """Build the ingress dead letter: the push as it came, ciphertext included, with credentials masked in what is plain.

    Its body is a JSON object: app, received, step, reason, detail; push (text) or push_base64 (no UTF-8); plaintext, when
    something was decrypted that is text. Garbage isn't kept twice: the ciphertext is there.
    """
    letter: dict[str, Any] = {
        "app": app,
        "received": times.recorded(now),
        "step": flaw.step,
        "reason": flaw.reason,
        "detail": flaw.detail,
    }
    push = mask(body, keyring.secrets)
    text = _text(push)
    if text is None:
        letter["push_base64"] = base64.b64encode(push).decode()
    else:
        letter["push"] = text
    if flaw.plaintext is not None and flaw.plaintext is not body and _text(flaw.plaintext) is not None:
        letter["plaintext"] = _text(mask(flaw.plaintext, keyring.secrets))
    event_id = hashlib.sha256(body).hexdigest()
    document = flaw.document or {}
    type_, app_id = _named(document, "event_type", "type"), _named(document, "app_id", "app_id")
    return Quarantined(flaw.reason, flaw.step, flaw.detail, event_id, type_, orjson.dumps(letter), app_id)


def _text(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def _named(document: dict[str, Any], in_header: str, in_event: str) -> str:
    """What the header, or in schema 1.0 the event, says; "" when that can't be an attribute."""
    header, event = document.get("header"), document.get("event")
    value = header.get(in_header) if isinstance(header, dict) else None
    if value is None and isinstance(event, dict):
        value = event.get(in_event)
    return value if is_attribute(value) else ""
