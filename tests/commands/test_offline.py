"""Reading commands while no router runs: from the journal's file, as a router left it."""

import asyncio
import hashlib
import json
import os
import subprocess
from pathlib import Path

import orjson
import pytest

from router.journal.contract import INGRESS, LaneNotes, Settlement
from tests.commands.routers import call
from tests.doubles.envelopes import make_envelope
from tests.doubles.operators import letter
from tests.flow.program import PROGRAM
from tests.journal.books import opened

EVENTS = 5
LETTERS = (2, 3)


async def fill(folder: Path) -> None:
    """Five events; iam has got three and buried two of them, bus is paused at the start, old is no sink any more."""
    async with opened(folder) as journal:
        for name in ("iam", "bus", "old"):
            await journal.register(name, about=json.dumps({"type": "http"}))
        await journal.register("iam/replay-1")
        for number in range(EVENTS):
            await journal.append(make_envelope(number))
        body = orjson.dumps({"data": {"money": 1.5}})
        dead = [letter(number, position=number, body=body) for number in LETTERS]
        await journal.settle("iam", Settlement(3, dead=dead))
        await journal.note("bus", LaneNotes(paused=True, about='{"type":"http"}'))
        await journal.note("old", LaneNotes(absent_ms=1_770_000_000_000, about='{"type":"kafka"}'))
        await journal.quarantine(letter(9, INGRESS, reason="json"))


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    asyncio.run(fill(tmp_path))
    sinks = {f"FER_SINK__{name}__TYPE": "stdout" for name in ("IAM", "BUS", "NEW")}
    return {"FER_DATA_DIR": str(tmp_path), "FER_ADMIN__LISTEN": "127.0.0.1:1", "FER_SINKS": "iam,bus,new", **sinks}


def content(folder: Path) -> dict[str, str]:
    """A digest of each of the journal's files."""
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.glob("journal.db*")}


def test_sinks_are_listed(environ: dict[str, str]) -> None:
    result = call("sinks", "list", "--json", **environ)
    assert result.exit_code == 0, result.output
    sinks = {sink["name"]: sink for sink in json.loads(result.stdout)["sinks"]}
    assert list(sinks) == ["iam", "bus", "new", "old"]
    assert [sink["state"] for sink in sinks.values()] == ["stopped", "paused", "stopped", "absent"]
    assert [sink["type"] for sink in sinks.values()] == ["stdout", "stdout", "stdout", "kafka"]
    assert [sink["lag_events"] for sink in sinks.values()] == [2, 5, 0, 5]
    assert sinks["iam"]["dead_letters"] == 2
    journal = Path(environ["FER_DATA_DIR"]) / "journal.db"
    assert result.stderr == f"Note: no router answers at http://127.0.0.1:1; this is read from {journal}.\n"


def test_letters_are_listed_shown_and_exported_and_nothing_changes(environ: dict[str, str], tmp_path: Path) -> None:
    before = content(tmp_path)
    result = call("dead-letters", "list", "--sink", "iam", "--json", **environ)
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert [one["position"] for one in told["letters"]] == list(LETTERS)
    shown = call("dead-letters", "show", str(told["letters"][0]["id"]), **environ)
    assert '"money": 1.5' in shown.stdout
    assert "What to do:" in shown.stdout
    missing = call("dead-letters", "show", "99", **environ)
    assert (missing.exit_code, "there is no dead letter 99" in missing.stderr) == (1, True)
    file = tmp_path / "out.jsonl"
    assert call("dead-letters", "export", "--output", str(file), **environ).exit_code == 0
    assert len(file.read_text().splitlines()) == 3
    assert "3 dead letters: iam 2, ingress 1" in call("dead-letters", "list", **environ).stdout
    assert content(tmp_path) == before


def test_what_changes_something_needs_a_router(environ: dict[str, str]) -> None:
    for args in (["purge", "1", "--yes"], ["replay", "1", "--yes"]):
        result = call("dead-letters", *args, **environ)
        assert (result.exit_code, "Start the router" in result.stderr) == (1, True)


def test_without_an_admin_port_too(environ: dict[str, str]) -> None:
    result = call("sinks", "list", **environ | {"FER_ADMIN__LISTEN": "off"})
    assert result.exit_code == 0
    assert "FER_ADMIN__LISTEN is off; this is read from" in result.stderr


async def test_a_router_that_has_the_journal_is_named(tmp_path: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "FER_DATA_DIR": str(tmp_path), "FER_ADMIN__LISTEN": "127.0.0.1:1"}
    async with opened(tmp_path):
        done = await asyncio.to_thread(
            subprocess.run,
            [PROGRAM, "sinks", "list"],
            env=environ,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
    assert done.returncode == 1
    assert f"in use by router process {os.getpid()}" in done.stderr


def test_no_journal(tmp_path: Path) -> None:
    result = call("dead-letters", "list", FER_DATA_DIR=str(tmp_path / "none"), FER_ADMIN__LISTEN="127.0.0.1:1")
    assert (result.exit_code, "there is no journal at" in result.stderr) == (1, True)


def test_of_another_machine_no_file_is_read(environ: dict[str, str]) -> None:
    result = call("sinks", "list", "--admin", "http://127.0.0.1:1", **environ)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "Is --admin right" in result.stderr
