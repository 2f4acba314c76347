"""What the reasons of dead letters mean, and what to do: for `dead-letters show`, the admin API and the docs alike."""

import re
from typing import NamedTuple

MEND = "Mend what it says there, then give the letter back with `dead-letters replay`."


class Reason(NamedTuple):
    """meaning: what happened; remedy: what to do about it. A sentence or two each."""

    meaning: str
    remedy: str


_NOT_200 = Reason(
    "The receiver answered {status}, again and again; in FORMAT=feishu only 200 is delivered, as for Feishu itself.",
    "Let it answer 200, or name the status in DELIVERED_STATUSES; if it has the event already, purge the letter.",
)
_EXCHANGE = Reason(
    "The receiver answered {status}, which the sink's settings count as final for this event.",
    "Look at the detail and at the receiver's log. Let the receiver take such events, then give the letter back.",
)
REASONS = {
    # HTTP
    "http_400": Reason(
        "The receiver found the event malformed (400).",
        "Its log says what it missed. Once it takes such events, give the letter back; if it never shall, leave the type "
        "out with EVENTS and purge.",
    ),
    "http_401": Reason(
        "The receiver didn't accept the sink's credentials (401).",
        "Mend BEARER_TOKEN, BASIC_PASSWORD, HEADERS or SIGNING_SECRETS of the sink, then give the letter back.",
    ),
    "http_403": Reason(
        "The receiver forbade it (403).",
        "Ask whoever runs the receiver what this router may send there, then give the letter back.",
    ),
    "http_404": Reason(
        "There is nothing at the sink's URL (404).",
        "Mend the sink's URL or the receiver's route, then give the letter back.",
    ),
    "http_408": Reason(
        "The receiver gave up waiting for the request (408), again and again, while it took other events.",
        "Look whether this event is unusually large, and at proxies in between; then give the letter back.",
    ),
    "http_409": Reason(
        "The receiver said that the event conflicts with what it has (409); often it has it already.",
        "If it has it, purge the letter. A receiver that answers copies with 2xx makes no such letters.",
    ),
    "http_410": Reason(
        "What was at the sink's URL is gone for good (410).", "Mend the sink's URL, then give the letter back."
    ),
    "http_413": Reason(
        "The event is larger than the receiver takes (413).",
        "Raise the limit there or in a proxy before it (the letter shows the size), then give the letter back.",
    ),
    "http_414": Reason(
        "The receiver found the URL too long (414).", "Shorten the sink's URL, then give the letter back."
    ),
    "http_415": Reason(
        "The receiver doesn't take the format that it was sent (415).",
        "Choose another FORMAT, then give the letter back.",
    ),
    "http_422": Reason(
        "The receiver understood the event and didn't accept it (422).",
        "Its log says why. Once it takes such events, give the letter back.",
    ),
    "http_425": Reason("The receiver called the request too early (425).", "Give the letter back."),
    "http_429": Reason(
        "The receiver had too much to do (429).",
        "Set RATE for the sink to what it can take, then give the letter back.",
    ),
    "http_500": Reason(
        "The receiver failed on this event (500), again and again, while it took others.",
        "It is most likely a bug in the receiver: its log has the trace. A program with a Feishu SDK may answer so to a type "
        "that it has no handler for: leave that out with EVENTS. Give the letter back once it is mended.",
    ),
    "timeout": Reason(
        "There was no answer in time, again and again, while other events got through.",
        "Find out why the target is slow on this event, or raise the sink's TIMEOUT_SECONDS; then give the letter back.",
    ),
    "not_encodable": Reason(
        "The event can't be written in the sink's FORMAT.", "Choose another FORMAT, then give the letter back."
    ),
    "batch_failed": Reason(
        "A batch was refused until this event's attempts were used up; it was not tried by itself at last.",
        "Find the refused event of that time among the letters of this sink, then give this one back.",
    ),
    "follows": Reason("An earlier event of the same subject failed.", "Give both back; they keep their order."),
    # Programs that are connected
    "code_500": Reason(
        "The program answered 500: its handler failed again and again, or it has none for the type.",
        "The program's log says which. Mend the handler and give the letter back; or leave the type out with EVENTS and purge.",
    ),
    "old_card": Reason(
        "It is a card callback of the old kind, which no SDK takes over a long connection.",
        "Leave card.action.trigger_v1 out with EVENTS (!card.action.trigger_v1) and purge; Feishu had its answer long ago.",
    ),
    "code_other": Reason(
        "The program acknowledged with something other than 200 or 500.",
        "See what it answers; Feishu's SDKs answer nothing else. Then give the letter back.",
    ),
    "no_ack": Reason(
        "No program acknowledged the event within ACK_SECONDS, again and again, while it acknowledged others.",
        "Its handler hangs on this event, or is slower than ACK_SECONDS: mend it or raise that, then give the letter back.",
    ),
    "disconnected": Reason(
        "Whichever program got the event lost its connection, again and again; it may be that it ends by it.",
        "Look at the program's log at the times of the attempts. Mend it, then give the letter back.",
    ),
    # Kafka
    "too_large": Reason(
        "The record is larger than the topic takes.",
        "Raise the topic's max.message.bytes (the detail says by how much) and the consumers' fetch sizes, then give the "
        "letter back.",
    ),
    "invalid_timestamp": Reason(
        "The broker didn't take the record's time.",
        "Look at the topic's message.timestamp.type and its limits of difference; then give the letter back.",
    ),
    "invalid_record": Reason(
        "The broker called the record invalid.",
        "A compacted topic takes no record without a key; else look at the broker's log. Then give the letter back.",
    ),
    "invalid_topic": Reason(
        "The topic's name, made from this event, is none that Kafka takes.",
        "Mend the sink's TOPIC, then give the letter back.",
    ),
    "kafka": Reason(
        "The broker answered with an error that this version has no name for.",
        "Look up the detail in Kafka's documentation and in the broker's log; then give the letter back.",
    ),
    # the lane
    "unavailable": Reason(
        "The target was unavailable for this event alone: another subject got through where this one did not.",
        "Look at the attempts for what it was that time. Mend it, then give the letter back.",
    ),
    "raised": Reason(
        "The sink raised an exception on this event instead of saying what became of it: a bug in the sink.",
        "Report it, with the detail, to whoever wrote the sink. Give the letter back after the update.",
    ),
    "failing": Reason(
        "So many deliveries failed that the whole sink counted as unavailable.",
        "Mend the target, then give the letter back.",
    ),
    # the ingress
    "encrypt": Reason(
        "The push was authentic, but what it held encrypted could not be decrypted with any of the app's keys.",
        "Add the key that Feishu's console shows to ENCRYPT_KEY, then give the letter back: it is read anew.",
    ),
    "json": Reason(
        "The push was authentic, but what it held is no JSON object.",
        "It is not an event that this version knows. Tell the maintainers; give it back after the update.",
    ),
    "depth": Reason(
        "The event nests deeper than FER_INGRESS__MAX_DEPTH.",
        "Raise that setting (at most 250) and restart, then give the letter back: it is read anew.",
    ),
    "envelope": Reason(
        "The push was authentic, but it has a shape of event that this version doesn't know.",
        "Tell the maintainers which (the detail names it); give it back after the update: it is read anew.",
    ),
}
UNKNOWN = Reason("The sink gave this reason; the detail holds the target's own words.", MEND)


def explain(reason: str) -> Reason:
    """What a reason means and what to do."""
    known = REASONS.get(reason)
    if known is not None:
        return known
    status = re.fullmatch(r"http_([0-9]{3})", reason)
    if status is None:
        return UNKNOWN
    if status[1].startswith("5"):
        return Reason(REASONS["http_500"].meaning.replace("500", status[1]), REASONS["http_500"].remedy)
    said = _NOT_200 if status[1].startswith("2") else _EXCHANGE
    return said._replace(meaning=said.meaning.format(status=status[1]))


def table() -> str:
    """All of them as a table in Markdown, for `docs/dead-letters.md`."""
    rows = [f"| `{reason}` | {said.meaning} | {said.remedy} |" for reason, said in REASONS.items()]
    return "\n".join(["| reason | what happened | what to do |", "|---|---|---|", *rows])
