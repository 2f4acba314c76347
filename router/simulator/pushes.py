"""What is pushed: a document of Feishu's, with its id and type at hand."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from router.feishu import samples
from router.feishu.numbers import load_exactly


class Push(NamedTuple):
    """One event as the long connection carries it: plain, its token empty."""

    id: str
    type: str
    body: bytes

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Push":
        """From a document of schema 2.0 or 1.0; of whatever else it is, too."""
        type_, id_ = samples.named(document)
        return cls(str(id_ or ""), str(type_ or ""), orjson.dumps(samples.with_token(document, "")))

    def document(self, token: str) -> dict[str, Any]:
        """As a webhook gets it: with the app's verification token."""
        return samples.with_token(load_exactly(self.body), token)
