"""Events of a long connection through the real intake."""

import asyncio

import orjson
from pydantic import SecretStr

from router.ingress.intake import Intake
from router.ingress.load import Load
from router.ingress.long_connection.handler import IntakeHandler
from router.ingress.replies import BUSY, CALLBACK, JOURNAL_FULL, SUCCESS, TOO_LARGE, Reply
from router.journal.contract import JournalFullError
from router.settings.model import IngressSettings
from tests.doubles.commanded_journal import CommandedJournal
from tests.ingress.long_connection.worlds import SECRET, Observed, app, document


class Kit(Observed):
    def __init__(self, max_in_flight: int = 10) -> None:
        super().__init__()
        self.journal = CommandedJournal()
        self.load = Load(max_in_flight, 1 << 20)
        intake = Intake(self.journal, self.telemetry, self.tools.clock, self.load)
        limits = IngressSettings(max_body_bytes=2048)
        settings = app("http://127.0.0.1", verification_token=[SecretStr("t0ken")])
        self.handler = IntakeHandler("hr", settings, intake, limits, self.tools)

    async def take(self, payload: bytes) -> Reply:
        taken = self.handler.take(payload, self.tools.clock.monotonic())
        return await taken if isinstance(taken, asyncio.Future) else taken


async def test_an_event_is_stored_and_a_copy_isnt() -> None:
    kit = Kit()
    assert await kit.take(orjson.dumps(document())) is SUCCESS
    assert await kit.take(orjson.dumps(document())) is SUCCESS
    assert [event.id for event in kit.journal.events] == ["e1"]
    assert kit.count("received", app="hr") == 2


async def test_a_callback() -> None:
    kit = Kit()
    assert await kit.take(orjson.dumps(document(type_="card.action.trigger"))) is CALLBACK


async def test_what_is_not_understood_is_kept_without_secrets() -> None:
    kit = Kit()
    assert await kit.take(b'{"what": "t0ken %s"}' % SECRET.encode()) is SUCCESS
    (letter,) = kit.journal.letters
    assert b"what" in letter.body
    assert b"t0ken" not in letter.body
    assert SECRET.encode() not in letter.body
    kit.handler.use(app("http://127.0.0.1", app_secret=SecretStr("another")))
    await kit.take(b'{"what": "another"}')
    assert b"another" not in kit.journal.letters[-1].body


async def test_refusals_come_before_any_work() -> None:
    kit = Kit(max_in_flight=0)
    assert await kit.take(b"x" * 2049) is TOO_LARGE
    assert await kit.take(orjson.dumps(document())) is BUSY
    kit.load.max_pushes = 1
    kit.journal.refuse = JournalFullError("copy")
    assert await kit.take(orjson.dumps(document())) is JOURNAL_FULL
    kit.handler.late()
    reasons = [line["reason"] for line in kit.said("push_refused")]
    assert reasons == ["body_too_large", "too_much_in_flight", "journal_full", "not_durable_in_time"]
    assert kit.said("push_refused")[0]["client"] == "long connection"
    assert not kit.journal.events
