"""The common event: a CloudEvent 1.0, serialised once and passed on as those bytes.

Source: CloudEvents 1.0.2, "CloudEvents JSON Format". The attributes are those of `docs/envelope.md`.
"""

from typing import Any, NamedTuple

import orjson


class Envelope(NamedTuple):
    """One event, frozen. `json` is the whole CloudEvent in JSON (UTF-8, one line); the rest is read from it.

    A NamedTuple because one is made for every push: it costs a third of a frozen dataclass.
    """

    id: str
    source: str
    type: str
    subject: str | None
    partitionkey: str
    appid: str
    tenantkey: str
    time: str
    recordedtime: str
    json: bytes
    created_ms: int = 0
    """Creation time as Feishu states it, Unix milliseconds; 0 where the schema has none. Part of the key of duplicates."""
    deadsink: str | None = None
    """Of a dead letter's copy: the sink that didn't get the event. Such an envelope is for sinks of dead letters only."""

    @classmethod
    def from_json(cls, body: bytes) -> "Envelope":
        """Read an envelope back from its JSON. Raises ValueError for bytes that are no envelope."""
        return cls.from_document(orjson.loads(body), body)

    @classmethod
    def from_document(cls, document: dict[str, Any], body: bytes, created_ms: int = 0) -> "Envelope":
        """Name the attributes of a parsed CloudEvent. Raises ValueError when a required one is missing."""
        try:
            return cls(
                document["id"],
                document["source"],
                document["type"],
                document.get("subject"),
                document["partitionkey"],
                document.get("appid", ""),
                document.get("tenantkey", ""),
                document["time"],
                document["recordedtime"],
                body,
                created_ms,
                document.get("deadsink"),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not an envelope: {error!r}") from error

    def marked(self, **attributes: str) -> "Envelope":
        """The same event with further extension attributes (CloudEvents 1.0.2, "Extension Context Attributes"): names of
        lower-case letters and digits, none of which it has yet."""
        members = orjson.dumps(attributes)
        return self._replace(
            json=members[:-1] + b"," + self.json[1:], deadsink=attributes.get("deadsink", self.deadsink)
        )

    def document(self) -> dict[str, Any]:
        """The parsed CloudEvent, `data` included."""
        document: dict[str, Any] = orjson.loads(self.json)
        return document
