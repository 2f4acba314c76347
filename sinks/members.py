"""A JSON object's members with each value as the text it has there, so that what is passed on is byte for byte the same."""

import json
import re

# Numbers stay text: nothing is computed from them, and a number of any length must come through unharmed.
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str)
_GAP = re.compile(r"[ \t\r\n]*")


def members(body: bytes) -> dict[str, str]:
    """Name → value as text. Raises ValueError when it is no JSON object."""
    text = body.decode()
    found: dict[str, str] = {}
    at = _expect(text, "{", 0)
    if text[at : at + 1] == "}":
        return found
    while True:
        name, end = _DECODER.raw_decode(text, at)
        if not isinstance(name, str) or text[at] != '"':
            raise ValueError("a member's name is no string")
        at = _expect(text, ":", end)
        _, end = _DECODER.raw_decode(text, at)
        found[name] = text[at:end]
        at = _skip(text, end)
        if text[at : at + 1] == "}":
            return found
        at = _expect(text, ",", at)


def _expect(text: str, char: str, at: int) -> int:
    at = _skip(text, at)
    if text[at : at + 1] != char:
        raise ValueError(f"expected {char} at {at}")
    return _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    gap = _GAP.match(text, at)
    return gap.end() if gap else at
