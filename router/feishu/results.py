"""What a push turns out to be."""

from typing import Any, NamedTuple

from router.envelope import Envelope


class Event(NamedTuple):
    """An authentic event, to be stored and then answered 200. callback: a user waits for it, the answer's body is `{}`."""

    envelope: Envelope
    callback: bool


class Challenge(NamedTuple):
    """Feishu tries out the address. answer: the finished JSON body of the 200."""

    answer: bytes


class Refused(NamedTuple):
    """Not authentic (401) or not a push at all (400): nothing is kept.

    reason: one of signature, unsigned, stale, token, app_id, json, depth, encrypt, challenge, envelope.
    """

    status: int
    reason: str


class Quarantined(NamedTuple):
    """Authentic but not understood: kept as a dead letter of the ingress and answered 200.

    reason: as in Refused; step: body, decrypt, plaintext or envelope; detail: for people, without content of the push;
    event_id: SHA-256 (hex) of the raw body; type: Feishu's event type, "" when unknown; body: a JSON object for the journal;
    app_id: the app's id as the push says it, "" when it doesn't.
    """

    reason: str
    step: str
    detail: str
    event_id: str
    type: str
    body: bytes
    app_id: str = ""


Result = Event | Challenge | Refused | Quarantined


class FlawError(Exception):
    """A push that isn't as Feishu documents it; whether it is refused or quarantined depends on its proof.

    plaintext: what was decrypted, if anything was; document: the parsed push, if it got that far.
    """

    def __init__(
        self,
        reason: str,
        step: str,
        detail: str,
        plaintext: bytes | None = None,
        document: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.reason = reason
        self.step = step
        self.detail = detail
        self.plaintext = plaintext
        self.document = document
