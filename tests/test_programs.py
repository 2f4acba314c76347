"""The whole router with programs connected to it: backlogs, order, several sinks, secrets that change, drains."""

import asyncio
import ssl
from collections import defaultdict
from pathlib import Path
from typing import Any

import orjson
import pytest
import trustme

from router.rotation import rotation
from tests.doubles.program import Behave, Program, RefusedError, well
from tests.doubles.waiting import until
from tests.flow.feishu import department
from tests.test_app import Running, running

IDS = {"payroll": "cli_0123456789abcdef", "desk": "cli_fedcba9876543210"}
SECRET = "secret-of-sixteen-letters"


def programs(**options: str) -> dict[str, str]:
    """Settings of both sinks; options: of payroll, or of everything where they begin with FER_."""
    found = {"FER_WS__LISTEN": "127.0.0.1:0", "FER_SINKS": "copy,payroll,desk"}
    for name, app_id in IDS.items():
        prefix = f"FER_SINK__{name.upper()}__"
        found |= {f"{prefix}TYPE": "feishu_ws", f"{prefix}APP_ID": app_id, f"{prefix}APP_SECRET": SECRET}
    found |= {name if name.startswith("FER_") else f"FER_SINK__PAYROLL__{name}": text for name, text in options.items()}
    return found


def connecting(it: Running, sink: str = "payroll", behave: Behave = well, secret: str = SECRET) -> Program:
    assert it.listening is not None
    return Program(f"http://{it.listening.programs[0]}", IDS[sink], secret, behave)


async def state(it: Running, sink: str = "payroll") -> dict[str, Any]:
    sinks = orjson.loads((await it.page("/api/v1/sinks"))[1])["sinks"]
    return next(row for row in sinks if row["name"] == sink)


async def settled(it: Running, sink: str = "payroll") -> None:
    lane = it.router._dispatcher.lanes[sink]
    await until(lambda: lane.reading().lag_events == lane.reading().parked == 0)


async def test_a_backlog_waits_for_a_program_and_comes_at_once(tmp_path: Path) -> None:
    async with running(tmp_path, programs()) as it:
        for number in range(20):
            assert await it.push(f"d{number % 4}") == 200
        await until(lambda: it.router._dispatcher.lanes["payroll"].reading().state == "unavailable")
        row = await state(it)
        assert row["reason"] == f"nobody_connected: nobody is connected as {IDS['payroll']}"
        it.router._dispatcher.lanes["payroll"]._outage.prolong(3600.0)  # the next probe is far away
        async with connecting(it) as program:
            assert len(await program.got(20)) == 20
            await settled(it)
            assert (await state(it))["dead_letters"] == 0
            told = orjson.loads((await it.page("/api/v1/connections"))[1])["programs"]
            assert [(row["sink"], row["acknowledged"], row["unanswered"]) for row in told] == [("payroll", 20, 0)]
            assert 'fer_subscribers{sink="payroll"} 1.0' in (await it.page("/metrics"))[1]
        assert (await state(it, "desk"))["lag_events"] == 20


async def test_each_sink_has_its_own_and_each_event_goes_to_one_program_of_it(tmp_path: Path) -> None:
    async with (
        running(tmp_path, programs()) as it,
        connecting(it) as first,
        connecting(it) as second,
        connecting(it, "desk") as other,
    ):
        for number in range(30):
            assert await it.push(f"d{number}") == 200
        await settled(it)
        await settled(it, "desk")
        ids = [await program.got(0) for program in (first, second, other)]
        assert len(set(ids[0] + ids[1])) == len(ids[0] + ids[1]) == 30
        assert min(len(ids[0]), len(ids[1])) > 3
        assert set(ids[2]) == set(ids[0] + ids[1])


async def test_each_subject_in_order_over_failures_and_several_connections(tmp_path: Path) -> None:
    seen: dict[str, list[str]] = defaultdict(list)
    failures = {3, 10, 11, 25}

    async def sometimes(event: dict[str, Any]) -> int | None:
        number, subject = event["header"]["event_id"], event["event"]["department_id"]
        if len(seen) and len(tried) in failures:
            tried.append(number)
            return 500
        tried.append(number)
        seen[subject].append(number)
        return 200

    tried: list[str] = []
    retry = {"RETRY__INITIAL_SECONDS": "0.01", "RETRY__MAX_SECONDS": "0.05", "IN_FLIGHT": "4"}
    async with (
        running(tmp_path, programs(**retry)) as it,
        connecting(it, behave=sometimes),
        connecting(it, behave=sometimes),
    ):
        pushed: dict[str, list[str]] = defaultdict(list)
        for number in range(60):
            subject = f"d{number % 3}"
            document = await pushed_document(it, subject)
            pushed[subject].append(document["header"]["event_id"])
        await settled(it)
        assert seen == pushed
        assert len(tried) == 64


async def pushed_document(it: Running, subject: str) -> dict[str, Any]:
    document = department(subject, next(it._numbers))
    assert await it.push_document(document) == 200
    return document


async def test_a_stop_finishes_what_is_under_way_and_waits_for_nobody(tmp_path: Path) -> None:
    working, refused = asyncio.Event(), asyncio.Event()

    async def slow(_event: dict[str, Any]) -> int | None:
        working.set()
        await refused.wait()
        return 200

    async with running(tmp_path, programs(FER_DRAIN__LANES_SECONDS="20", FER_DRAIN__GRACE_SECONDS="60")) as it:
        program = await connecting(it, behave=slow).__aenter__()
        assert await it.push() == 200
        await working.wait()
        it.stop.set()
        await until(lambda: bool(it.said("draining")))
        with pytest.raises(RefusedError, match="http_503"):
            await connecting(it).__aenter__()
        refused.set()
        assert it.task is not None
        await asyncio.wait_for(it.task, 10)  # desk has a backlog, and nobody
        await program.gone()
        assert len(program.events) == 1
        await program.stop()
        assert not it.said("drain_laggard")
    async with running(tmp_path, programs()) as it, connecting(it) as again, connecting(it, "desk") as desk:
        await desk.got(1)
        assert again.events == []


async def test_what_was_not_acknowledged_comes_again_after_a_restart(tmp_path: Path) -> None:
    async def never(_event: dict[str, Any]) -> int | None:
        return None

    async with running(tmp_path, programs()) as it, connecting(it, behave=never) as program:
        assert await it.push() == 200
        await program.got(1)
    async with running(tmp_path, programs()) as it, connecting(it) as again:
        assert await again.got(1) == await program.got(1)


async def test_a_changed_secret_sends_nobody_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation, "LOOK_SECONDS", 0.02)
    file, new = tmp_path / "secret", "another-secret-of-sixteen"
    file.write_text(SECRET)
    environ = programs(APP_SECRET="", APP_SECRET_FILE=str(file))
    async with running(tmp_path, environ, rotates=True) as it, connecting(it) as program:
        file.write_text(new)
        await until(lambda: bool(it.said("settings_reloaded")))
        assert await it.push() == 200
        await program.got(1)
        with pytest.raises(RefusedError, match="514"):
            await connecting(it).__aenter__()
        async with connecting(it, secret=new) as other:
            for number in range(20):
                assert await it.push(f"d{number}") == 200
            await settled(it)
            assert len(program.events) + len(other.events) == 21
            assert other.events


async def test_it_says_where_programs_connect(tmp_path: Path) -> None:
    async with running(tmp_path, programs(APP_ID="payroll")) as it:
        assert it.listening is not None
        assert f'"programs":["{it.listening.programs[0]}"]' in it.log.getvalue()
        [remark] = it.said("settings_remark")
        assert "Node" in remark["remark"]


async def test_without_such_a_sink_there_is_no_port(tmp_path: Path) -> None:
    async with running(tmp_path) as it:
        assert it.listening is not None
        assert it.listening.programs == []
        assert orjson.loads((await it.page("/api/v1/connections"))[1])["programs"] == []


async def test_a_changed_certificate_is_shown_to_new_connections(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "LOOK_SECONDS", 0.02)
    authority, file = trustme.CA(), tmp_path / "tls.pem"
    old, new = authority.issue_cert("127.0.0.1"), authority.issue_cert("127.0.0.1")
    old.private_key_and_cert_chain_pem.write_to_path(str(file))
    tls = {"FER_WS__TLS__CERT_FILE": str(file), "FER_WS__TLS__KEY_FILE": str(file)}
    async with running(tmp_path, programs(**tls), rotates=True) as it:
        assert it.listening is not None
        host, _, port = it.listening.programs[0].rpartition(":")
        assert await asyncio.to_thread(ssl.get_server_certificate, (host, int(port))) == shown(old)
        new.private_key_and_cert_chain_pem.write_to_path(str(file))
        await until(lambda: bool(it.said("settings_reloaded")))
        assert await asyncio.to_thread(ssl.get_server_certificate, (host, int(port))) == shown(new)


def shown(cert: trustme.LeafCert) -> str:
    return cert.cert_chain_pems[0].bytes().decode()
