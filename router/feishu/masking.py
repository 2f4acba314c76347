"""Credentials out of raw text, for pushes that are kept although they weren't understood."""

import json
import re
from collections.abc import Iterable

MASK = b"***"
_NAMES = {"token", "app_ticket"}
# A string and, when it is a key, the string it names. Possessive, and every quote starts a match: linear on any input.
_MEMBER = re.compile(rb'("(?:[^"\\]|\\.)*+"?)(?:(\s*+:\s*+)("(?:[^"\\]|\\.)*+"?)?+)?+', re.DOTALL)
# The same where an odd quote before it has turned strings inside out.
_TAIL = re.compile(rb'(\b(?:token|app_ticket)"\s*+:\s*+)"(?:[^"\\]|\\.)*+"?', re.DOTALL)


def mask(text: bytes, secrets: Iterable[bytes]) -> bytes:
    """Blank the values of credential members wherever they stand, and the known secrets themselves.

    Works on text that is no whole JSON, too. An `encrypt` value is left alone.
    """
    masked = _TAIL.sub(rb'\1"%b"' % MASK, _MEMBER.sub(_member, text))
    for secret in secrets:
        masked = masked.replace(secret, MASK)
    return masked


def _member(match: re.Match[bytes]) -> bytes:
    name, colon, value = match.groups()
    if value is None or _unquote(name) not in _NAMES:
        return match[0]
    return b'%b%b"%b"' % (name, colon, MASK)


def _unquote(quoted: bytes) -> str:
    try:
        return str(json.loads(quoted, strict=False))
    except ValueError:
        return ""
