"""What a push is answered with. Bodies are constants: they are written for every push."""

from typing import NamedTuple


class Reply(NamedTuple):
    """An answer.

    reason: why it is a refusal, "" when it is none; retry_after: seconds, 0 for no such header;
    close: the connection ends with it.
    """

    status: int
    body: bytes
    reason: str = ""
    retry_after: int = 0
    close: bool = False


def refusal(status: int, reason: str, *, retry_after: int = 0, close: bool = False) -> Reply:
    """A refusal that names its reason (one of ours, no text of the push) and nothing else."""
    return Reply(status, b'{"error":"%s"}' % reason.encode(), reason, retry_after, close)


SUCCESS = Reply(200, b'{"msg":"success"}')
CALLBACK = Reply(200, b"{}")
"""No change to the card; a card callback wants a JSON object of its own."""

UNKNOWN_PATH = refusal(404, "path")
METHOD = refusal(405, "method")
TIMEOUT = refusal(408, "body_timeout", close=True)
TOO_LARGE = refusal(413, "body_too_large", close=True)
BROKEN = refusal(400, "body_incomplete", close=True)
ENCODED = refusal(415, "content_encoding", close=True)
EXPECTATION = refusal(417, "expectation", close=True)

LATE = refusal(503, "not_durable_in_time", retry_after=1)
BUSY = refusal(503, "too_much_in_flight", retry_after=1)
JOURNAL_FULL = refusal(503, "journal_full", retry_after=30)
JOURNAL_FAILED = refusal(503, "journal_failed", retry_after=5)
