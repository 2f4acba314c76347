"""One push over HTTP: bytes and headers in, what it is out. Never raises for anything a client can send.

The order of the checks: signature, JSON, decryption, challenge, proof, envelope, token. A flaw in an authentic push
quarantines it, because a refusal would only make Feishu repeat it four times and then forget it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from router.feishu import envelopes
from router.feishu.crypto import Cipher, DecryptError
from router.feishu.envelopes import Arrival
from router.feishu.keys import Keyring, Signature, read_signature
from router.feishu.numbers import deeper_than
from router.feishu.quarantine import quarantined
from router.feishu.results import Challenge, Event, FlawError, Quarantined, Refused, Result

__all__ = ["Challenge", "Event", "Keyring", "Quarantined", "Refused", "Result", "arrived", "receive", "reread"]

OLD_CARD_ID = "X-Refresh-Token"
_NOT_IN_OLD_CARDS = ("schema", "header", "uuid", "event", "type")
UNPROVEN_BYTES = 1 << 16
"""The most that is parsed of a push which no key signed, where there is a key: room for every challenge."""
DEEPEST = 250
"""orjson writes 254 levels; the envelope has no more than the push."""
_TRUSTING = Keyring((), ())


def receive(
    keyring: Keyring,
    app: str,
    headers: Mapping[str, str],
    body: bytes,
    now: float,
    max_depth: int = 100,
    max_age: float = 0.0,
) -> Result:
    """Tell what a push is.

    app: the app's name in the settings; headers: must not care about case; now: Unix seconds; max_depth: containers
    within containers, at most 250; max_age: seconds a signature may be old, 0: no limit.
    """
    signature = read_signature(headers)
    signer = keyring.signer(signature, body) if signature is not None else None
    if signer is None and keyring.ciphers and len(body) > UNPROVEN_BYTES:
        doubt = _doubt(keyring, signature, body, card=True)
        if doubt is not None:
            return Refused(401, doubt)
    try:
        plaintext, document = _read(keyring, signer, body)
        if "schema" not in document and document.get("type") == "url_verification":
            return _challenge(keyring, document, sealed=signer is not None or plaintext is not body)
        card = _is_old_card(document)
        doubt = None if signer is not None else _doubt(keyring, signature, body, card=card)
        signed = signer is not None or (card and keyring.has_tokens)
        if doubt is None and signed and max_age > 0 and signature is not None and signature.older_than(now - max_age):
            doubt = "stale"
        if doubt is not None:
            return Refused(401, doubt)
        _check_depth(plaintext, document, min(max_depth, DEEPEST))
        arrival = Arrival(plaintext, now, keyring.app_id, headers.get("traceparent"))
        if card:
            return Event(envelopes.from_old_card(document, arrival, headers.get(OLD_CARD_ID)), callback=True)
        return _event(keyring, document, arrival)
    except FlawError as flaw:
        if signer is not None or (flaw.step == "envelope" and _carries_token(keyring, flaw.document)):
            return quarantined(keyring, app, body, now, flaw)
        if keyring.ciphers:
            return Refused(401, "unsigned" if signature is None else "signature")
        return Refused(400, flaw.reason)


def reread(keyring: Keyring, body: bytes, now: float, max_depth: int = 100) -> Event:
    """Read a push once more that was authentic when it came, and not understood. Raises FlawError when it still isn't.

    Its token may be masked by now and its signature isn't kept: neither is looked at.
    """
    plaintext, document = _read(keyring, None, body)
    _check_depth(plaintext, document, min(max_depth, DEEPEST))
    arrival = Arrival(plaintext, now, keyring.app_id)
    if _is_old_card(document):
        return Event(envelopes.from_old_card(document, arrival, None), callback=True)
    event = _event(keyring.trusting(), document, arrival)
    if isinstance(event, Refused):
        raise FlawError(event.reason, "envelope", "it is not of this app", plaintext, document)
    return event


def arrived(
    app: str, app_id: str, payload: bytes, now: float, max_depth: int = 100, secrets: Sequence[str] = ()
) -> Event | Quarantined:
    """Tell what came over the long connection: plain, without signature or token; the connection itself is the proof.

    app_id: stands in where the event names none; secrets: blanked in what is kept of one that isn't understood.
    """
    arrival = Arrival(payload, now, app_id)
    try:
        document = _parse(payload, "plaintext")
        _check_depth(payload, document, min(max_depth, DEEPEST))
        event = _event(_TRUSTING, document, arrival)
        if isinstance(event, Event):
            return event
        raise _misshapen("it is neither schema 2.0 nor 1.0", document, arrival)
    except FlawError as flaw:
        return quarantined(Keyring((), secrets), app, payload, now, flaw)


def _read(keyring: Keyring, signer: Cipher | None, body: bytes) -> tuple[bytes, dict[str, Any]]:
    """Give the plaintext and the document in it. Members beside `encrypt` count for nothing. Raises FlawError."""
    document = _parse(body, "body")
    if "encrypt" not in document:
        return body, document
    encrypted = document["encrypt"]
    if not keyring.ciphers:
        raise FlawError("encrypt", "decrypt", "encrypted, but no Encrypt Key is configured")
    if not isinstance(encrypted, str):
        raise FlawError("encrypt", "decrypt", "`encrypt` is no string")
    flaws = []
    for cipher in keyring.ciphers_from(signer):
        try:
            plaintext = cipher.decrypt(encrypted)
            return plaintext, _parse(plaintext, "plaintext")
        except DecryptError as error:
            flaws.append(FlawError("encrypt", "decrypt", str(error)))
        except FlawError as flaw:
            flaws.append(flaw)
    raise flaws[0]


def _parse(text: bytes, step: str) -> dict[str, Any]:
    plaintext = text if step == "plaintext" else None
    try:
        document = orjson.loads(text)
    except ValueError as error:
        raise FlawError("json", step, str(error), plaintext) from None
    if not isinstance(document, dict):
        raise FlawError("json", step, "the top level is no object", plaintext)
    return document


def _challenge(keyring: Keyring, document: dict[str, Any], *, sealed: bool) -> Challenge | Refused:
    """Answer a challenge. Feishu doesn't sign it, but encrypts it and puts the token in. sealed: came signed or encrypted."""
    if keyring.has_tokens:
        if not keyring.knows(document.get("token")):
            return Refused(401, "token")
    elif keyring.ciphers and not sealed:
        return Refused(401, "unsigned")
    challenge = document.get("challenge")
    if not isinstance(challenge, str):
        return Refused(400, "challenge")
    return Challenge(orjson.dumps({"challenge": challenge}))


def _is_old_card(document: dict[str, Any]) -> bool:
    return isinstance(document.get("action"), dict) and document.keys().isdisjoint(_NOT_IN_OLD_CARDS)


def _doubt(keyring: Keyring, signature: Signature | None, body: bytes, *, card: bool) -> str | None:
    """Say why a push that no Encrypt Key signed isn't authentic; None where the token, or nothing, decides."""
    if card and keyring.has_tokens and signature is not None and keyring.signed_card(signature, body):
        return None
    if keyring.ciphers or (card and keyring.has_tokens):
        return "unsigned" if signature is None else "signature"
    return None


def _check_depth(plaintext: bytes, document: dict[str, Any], limit: int) -> None:
    """Count brackets first: there can't be more levels than that. Raises FlawError."""
    if plaintext.count(b"{") + plaintext.count(b"[") > limit and deeper_than(document, limit):
        raise FlawError("depth", "plaintext", f"nested deeper than {limit} levels", plaintext, document)


def _event(keyring: Keyring, document: dict[str, Any], arrival: Arrival) -> Event | Refused:
    """Schema 2.0 is told by the presence of `schema`, whatever its value. Raises FlawError."""
    newer = "schema" in document
    fields = document.get("header" if newer else "event")
    if not isinstance(fields, dict) or not (newer or "uuid" in document):
        raise _misshapen("it is neither schema 2.0 nor 1.0", document, arrival)
    type_ = fields.get("event_type" if newer else "type")
    if not envelopes.is_attribute(type_):
        raise _misshapen("it has no event type, or an unusable one", document, arrival)
    if keyring.has_tokens and not keyring.knows((fields if newer else document).get("token")):
        return Refused(401, "token")
    if keyring.app_id and (fields.get("app_id") or keyring.app_id) != keyring.app_id:
        return Refused(401, "app_id")
    envelope = envelopes.from_v2(document, arrival) if newer else envelopes.from_v1(document, arrival)
    return Event(envelope, type_ in envelopes.CALLBACKS)


def _misshapen(detail: str, document: dict[str, Any], arrival: Arrival) -> FlawError:
    return FlawError("envelope", "envelope", detail, arrival.plaintext, document)


def _carries_token(keyring: Keyring, document: dict[str, Any] | None) -> bool:
    """Whether a push that needs no signature (unsigned ones get no further where there is a key) brings the token."""
    if document is None:
        return False
    header = document.get("header")
    holder = header if "schema" in document and isinstance(header, dict) else document
    return keyring.knows(holder.get("token"))
