"""What the journal says, and what is answered."""

import asyncio
import io
import time
from pathlib import Path

import pytest

from router.clock import SystemClock
from router.journal.contract import INGRESS, JournalFailedError, JournalFullError, LetterFilter
from router.journal.sqlite import SqliteJournal
from router.settings.model import JournalSettings
from router.telemetry import Telemetry
from router.telemetry.logs import make_logger
from tests.doubles import pushes
from tests.doubles.commanded_journal import CommandedJournal
from tests.doubles.raw_http import request
from tests.doubles.sending import counted, good, still_works
from tests.doubles.waiting import until
from tests.doubles.webhooks import webhook


async def test_too_many_pushes_in_flight_are_503() -> None:
    journal = CommandedJournal(auto=False)
    async with webhook(journal=journal, max_in_flight=2) as hook, hook.client() as one, hook.client() as two:
        await one.send(good("e-1"))
        await two.send(good("e-2"))
        await journal.wait_appended(2)
        answer = await hook.push(good("e-3"))
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        await counted(hook, "too_much_in_flight", 503)
        journal.commit()
        assert {(await one.answer()).status, (await two.answer()).status} == {200}
        journal.auto = True
        await still_works(hook)


async def test_too_many_bytes_in_flight_are_503() -> None:
    journal = CommandedJournal(auto=False)
    async with webhook(journal=journal, max_in_flight_bytes=1 << 20) as hook, hook.client() as one:
        await one.send(good("e-1", size=700_000))
        await journal.wait_appended(1)
        assert (await hook.push(good("e-2", size=700_000))).status == 503
        journal.commit()
        assert (await one.answer()).status == 200
        assert (hook.load.bytes, hook.load.pushes) == (0, 0)


async def test_what_was_given_up_still_counts_until_the_journal_has_settled_it() -> None:
    journal = CommandedJournal(auto=False)
    async with webhook(journal=journal, max_in_flight=1, budget_seconds=0.1) as hook:
        assert (await hook.push(good("e-1"))).body == b'{"error":"not_durable_in_time"}'
        assert (await hook.push(good("e-2"))).body == b'{"error":"too_much_in_flight"}'
        journal.commit()
        journal.auto = True
        await still_works(hook)


async def test_late_is_503_and_the_commit_goes_on_so_that_the_next_copy_is_a_duplicate() -> None:
    journal = CommandedJournal(auto=False)
    async with webhook(journal=journal, budget_seconds=0.3) as hook:
        begun = time.monotonic()
        answer = await hook.push(good("late"))  # which can't wait for the commit: there is none yet
        assert time.monotonic() - begun >= 0.25
        assert (answer.status, answer.body) == (503, b'{"error":"not_durable_in_time"}')
        await counted(hook, "not_durable_in_time", 503)
        journal.commit()
        journal.auto = True
        assert (await hook.push(good("late"))).status == 200
        assert len(journal.events) == hook.count("stored", app="") == hook.count("duplicates", app="") == 1


@pytest.mark.parametrize("resets", [True, False])
async def test_a_client_gone_does_not_cancel_the_commit(resets: bool) -> None:
    journal = CommandedJournal(auto=False)
    async with webhook(journal=journal) as hook:
        async with hook.client() as client:
            await client.send(good("gone"))
            await journal.wait_appended(1)
            if resets:
                client.reset()
        if resets:
            await until(lambda: hook.server.open_connections == 0)
        journal.commit()
        await until(lambda: hook.count("stored", app="") == 1)
        assert [event.id for event in journal.events] == ["gone"]
        await until(lambda: hook.server.in_flight == hook.server.open_connections == hook.load.pushes == 0)


async def test_a_failed_commit_gives_every_copy_503() -> None:
    journal = CommandedJournal(auto=False)
    async with webhook(journal=journal) as hook, hook.client() as one, hook.client() as two:
        await one.send(good("copy"))
        await two.send(good("copy"))
        await journal.wait_appended(2)
        journal.fail(JournalFailedError("disk on fire"))
        for client in (one, two):
            answer = await client.answer()
            assert (answer.status, answer.body) == (503, b'{"error":"journal_failed"}')
            assert "retry-after" in answer.headers
        assert journal.events == []
        assert hook.refused("journal_failed", 503) == 2


async def test_a_full_journal_is_503_and_its_holder_is_named_in_the_log_only() -> None:
    journal = CommandedJournal()
    journal.refuse = JournalFullError("full", holder="slow-sink")
    async with webhook(journal=journal) as hook:
        answer = await hook.push(good())
        assert (answer.status, answer.headers["retry-after"]) == (503, "30")
        assert b"slow-sink" not in answer.body
        assert "slow-sink" in hook.log.getvalue()
        assert hook.refused("journal_full", 503) == 1


@pytest.mark.parametrize("error", [RuntimeError("bug"), asyncio.CancelledError()])
async def test_whatever_goes_wrong_in_a_commit_is_503(error: BaseException) -> None:
    journal = CommandedJournal(auto=False)
    async with webhook(journal=journal) as hook, hook.client() as client:
        await client.send(good())
        await journal.wait_appended(1)
        journal.fail(error)
        assert (await client.answer()).status == 503


async def test_with_the_real_journal(tmp_path: Path) -> None:
    clock = SystemClock()
    quiet = Telemetry(make_logger("error", "json", io.StringIO()))
    journal = SqliteJournal(tmp_path / "journal.db", JournalSettings(), quiet, clock)
    await journal.open()
    try:
        async with webhook(journal=journal) as hook:
            answers = await asyncio.gather(*(hook.push(good(f"e-{n % 20}")) for n in range(60)))
            assert {answer.status for answer in answers} == {200}
            assert (hook.count("stored", app=""), hook.count("duplicates", app="")) == (20, 40)
            assert sorted(record.envelope.id for record in await journal.read(0, 100, 1 << 20)) == sorted(
                f"e-{n}" for n in range(20)
            )
            headers, body = pushes.signed(b'{"schema":"2.0","header":{"app_id":"cli_9"}}')
            for _ in range(2):
                assert (await hook.push(request(body, headers))).status == 200
            (letter,) = await journal.dead_letters(LetterFilter(lanes=(INGRESS,)))
            assert letter.app == "cli_9"
            late, body = pushes.signed(pushes.event("crowd"))
            crowd = await asyncio.gather(*(hook.push(request(body, late)) for _ in range(50)))
            assert {answer.status for answer in crowd} == {200}
            assert hook.count("stored", app="") == 21
    finally:
        await journal.close()
