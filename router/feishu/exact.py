"""JSON whose numbers keep their text: what goes on is what came, beyond what a double or 64 bits can hold, too."""

import json
from typing import Any

import orjson

_INT_DIGITS = 18
"""Any number of so many characters fits into 64 bits."""


def loads(text: bytes) -> Any:
    """Parse what `orjson.loads` would. Numbers that a Python number would write otherwise are fragments for `orjson.dumps`.

    Raises ValueError.
    """
    orjson.loads(text)  # the standard library takes more: NaN, half of a surrogate pair
    try:
        return json.loads(text, parse_int=_integer, parse_float=orjson.Fragment)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _integer(text: str) -> int | orjson.Fragment:
    return int(text) if len(text) <= _INT_DIGITS and text != "-0" else orjson.Fragment(text)
