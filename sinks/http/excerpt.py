"""The start of a failed answer's body, fit to be read by people: no control characters, none of our secrets."""

import base64
import html
import json
import re
from collections.abc import Iterable
from urllib.parse import parse_qsl, quote, urlsplit

from pydantic import SecretStr

from sinks.http.settings import HttpSettings
from sinks.http.values import looks_secret

READ_BYTES = 2048
SHOWN_CHARS = 300
_MIN_SECRET = 4
"""Shorter ones would mask half of every text and hide nothing."""


def secrets_of(settings: HttpSettings) -> set[str]:
    """All that is sent along and must not come back in a text."""
    url = urlsplit(settings.url.get_secret_value())
    proxy = urlsplit(_plain(settings.proxy))
    pair = f"{settings.basic_username}:{_plain(settings.basic_password)}"
    found = {
        _plain(settings.bearer_token),
        _plain(settings.basic_password),
        _plain(settings.encrypt_key),
        _plain(settings.verification_token),
        base64.b64encode(pair.encode()).decode() if settings.basic_username else "",
        proxy.password or "",
        url.query,
        *(value for _, value in parse_qsl(url.query)),
        *(segment for segment in url.path.split("/") if looks_secret(segment)),
        *(value for _, value in settings.header_pairs()),
        *(item.get_secret_value() for item in settings.signing_secrets),
    }
    return {secret for secret in found if len(secret) >= _MIN_SECRET}


class Excerpt:
    """Cleans what receivers answer: some echo the request, its credentials included."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets for form in _forms(secret)}
        self._longest = max(map(len, forms), default=0)
        by_length = sorted(forms, key=len, reverse=True)
        self._secret = re.compile("|".join(map(re.escape, by_length)) or r"(?!)", re.IGNORECASE)

    def clean(self, raw: bytes, *, complete: bool) -> str:
        """Up to `SHOWN_CHARS` characters. complete: False when more followed, so that a secret may be cut at the end."""
        text = self._secret.sub("***", raw.decode("utf-8", "replace"))
        if not complete:
            text = text[: max(len(text) - self._longest, 0)]
        words = "".join(char if char.isprintable() else " " for char in text).split()
        shown = " ".join(words)
        return shown if len(shown) <= SHOWN_CHARS else f"{shown[:SHOWN_CHARS]}…"


def _forms(secret: str) -> set[str]:
    """How an echo may spell it: as it is, in JSON, in HTML, in a URL."""
    return {secret, json.dumps(secret)[1:-1], html.escape(secret), quote(secret, safe=""), quote(secret)}


def _plain(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""
