"""Messages of the long connection that come in parts, put together again; bounded, whatever comes."""

from typing import NamedTuple

MAX_ID = 256
"""Characters of a message's id: it is kept, too."""


class PartsError(ValueError):
    """Parts that make no message. The text names the flaw."""


class _Message(NamedTuple):
    total: int
    since: float
    parts: dict[int, bytes]


class Assembly:
    """Keeps the parts of messages that aren't whole yet, for one connection.

    max_bytes: of all parts together; max_parts: of one message, and so many messages at once; expiry: seconds after its
    first part in which a message must be whole. What is over a bound is forgotten: it isn't acknowledged, so it comes again.
    given_up: messages that were forgotten before they were whole.
    """

    def __init__(self, max_bytes: int = 16 << 20, max_parts: int = 256, expiry: float = 30.0) -> None:
        self.bytes = 0
        self.given_up = 0
        self._max_bytes = max_bytes
        self._max_parts = max_parts
        self._expiry = expiry
        self._messages: dict[str, _Message] = {}

    def __len__(self) -> int:
        return len(self._messages)

    def add(self, message_id: str, seq: int, total: int, part: bytes, now: float) -> bytes | None:
        """Part `seq` (from 0) of `total`: the whole message when it is the last one that was missing, in whatever order.

        An empty part counts as a part; one that came before replaces the former. Raises PartsError.
        """
        if not 0 <= seq < total or total > self._max_parts:
            raise PartsError("a part has a number out of range")
        if total == 1:
            return part
        if not 0 < len(message_id) <= MAX_ID:
            raise PartsError("a part has no usable message id")
        self.expire(now)
        message = self._messages.get(message_id)
        if message is not None and message.total != total:
            self._give_up(message_id)
            message = None
        if message is None:
            if len(self._messages) >= self._max_parts:
                self._give_up(next(iter(self._messages)))
            message = self._messages[message_id] = _Message(total, now, {})
        self.bytes += len(part) - len(message.parts.get(seq, b""))
        message.parts[seq] = part
        if self.bytes > self._max_bytes:
            self._forget(message_id)
            raise PartsError("the parts that wait for others are too large together")
        if len(message.parts) < total:
            return None
        whole = b"".join(message.parts[number] for number in range(total))
        self._forget(message_id)
        return whole

    def expire(self, now: float) -> None:
        """Forget what did not become whole in time. The oldest come first."""
        while self._messages:
            message_id, message = next(iter(self._messages.items()))
            if now - message.since < self._expiry:
                return
            self._give_up(message_id)

    def _give_up(self, message_id: str) -> None:
        self.given_up += 1
        self._forget(message_id)

    def _forget(self, message_id: str) -> None:
        message = self._messages.pop(message_id)
        self.bytes -= sum(map(len, message.parts.values()))
