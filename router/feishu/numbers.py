"""Numbers and nesting of a parsed document, where the JSON library alone would change or refuse something."""

import json
from typing import Any

import orjson
from orjson import Fragment


def deeper_than(document: Any, limit: int) -> bool:
    """Whether containers nest deeper than `limit`; the outermost one is the first level."""
    level = [document]
    for _ in range(limit):
        level = [child for node in level for child in _children(node) if isinstance(child, (dict, list))]
        if not level:
            return False
    return True


def has_float(document: Any) -> bool:
    """Whether a float is in it. Only floats can have changed: orjson reads as such what 64 bits can't hold, too."""
    waiting = [document]
    while waiting:
        for child in _children(waiting.pop()):
            if isinstance(child, float):
                return True
            if isinstance(child, (dict, list)):
                waiting.append(child)
    return False


def parse_exactly(text: bytes) -> Any:
    """Parse JSON, keeping the digits of floats and of integers beyond 64 bits as they came.

    For text that orjson has already taken: no number in it is beyond a double, nothing nests too deep.
    """
    return json.loads(text, parse_float=_verbatim, parse_int=_integer)


def load_exactly(text: bytes) -> Any:
    """The same for text of any origin. Raises ValueError."""
    orjson.loads(text)  # the standard library takes more: NaN, half of a surrogate pair
    try:
        return parse_exactly(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _children(node: Any) -> Any:
    return node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()


def _verbatim(digits: str) -> Fragment:
    return Fragment(digits.encode())


def _integer(digits: str) -> int | Fragment:
    if -(1 << 63) <= (number := int(digits)) < 1 << 64:
        return number
    return Fragment(digits.encode())
