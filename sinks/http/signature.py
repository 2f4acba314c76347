"""Standard Webhooks 1.0.0, symmetric signatures: "Signature scheme" and "Webhook headers" of the specification."""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from urllib.parse import quote

MAX_ID_LENGTH = 256


def webhook_id(ids: Sequence[str]) -> str:
    """The same for the same event(s), so that a receiver can know a repetition.

    One event: its id, percent-encoded where a header or the signed text needs it (the specification forbids the full
    stop, which parts the signed text). Several, or one too long: a hash.
    """
    if len(ids) == 1:
        encoded = quote(ids[0], safe=":").replace(".", "%2E")
        if 0 < len(encoded) <= MAX_ID_LENGTH:
            return encoded
    lengths_and_ids = b"".join(b"%d:%b" % (len(raw), raw) for raw in (one.encode() for one in ids))
    return f"batch_{hashlib.sha256(lengths_and_ids).hexdigest()}"


def sign(keys: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> str:
    """Value of `webhook-signature`: one `v1,<base64>` per key, space separated. timestamp: Unix seconds of the attempt."""
    content = b"%b.%d.%b" % (message_id.encode(), timestamp, body)
    return " ".join(f"v1,{base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()}" for key in keys)
