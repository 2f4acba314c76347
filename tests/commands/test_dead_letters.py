"""`dead-letters` against a real admin port."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from router.commands.bulk import SLICE
from router.journal.contract import LetterFilter
from router.operations.contract import OperationError
from tests.commands.routers import Running, call, running
from tests.commands.terminals import Terminal
from tests.doubles.operators import MemoryOperators, letter, row

MANY = SLICE * 3 + 7


@pytest.fixture
def router(tmp_path: Path) -> Iterator[Running]:
    kept = [letter(n) for n in range(1, 8)] + [letter(n, "bus", reason="too_large", type="a.b") for n in (8, 9)]
    operators = MemoryOperators({"iam": row("iam"), "bus": row("bus")}, kept)
    with running(operators, tmp_path) as router:
        yield router


def test_list_shows_a_table_and_how_many(router: Running) -> None:
    result = router.call("dead-letters", "list")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["id", "sink", "dead", "type", "subject", "reason", "attempts", "age"]
    assert [line.split()[0] for line in lines[2:11]] == ["8", "9", "1", "2", "3", "4", "5", "6", "7"]
    assert lines[-1].startswith("9 dead letters: iam 7, bus 2; the oldest is from ")
    assert result.stderr == ""


def test_list_says_when_it_shows_only_some(router: Running) -> None:
    result = router.call("dead-letters", "list", "--limit", "3")
    assert "9 dead letters" in result.stdout
    assert result.stderr == "The first 3 are shown; --limit shows more.\n"


def test_list_with_conditions_and_as_json(router: Running) -> None:
    args = ["--sink", "iam", "--type", "corehr.*", "--type", "!a.*", "--subject", "d1", "--reason", "http_500"]
    result = router.call("dead-letters", "list", *args, "--app", "cli_1", "--until", "now", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert [one["id"] for one in told["letters"]] == [1, 4, 7]
    assert told["total"] == 3
    wanted = router.operators.asked[0][1]
    assert wanted == LetterFilter(
        ("iam",), ("corehr.*", "!a.*"), ("cli_1",), ("d1",), ("http_500",), None, wanted.until_ms
    )


def test_no_letters(router: Running) -> None:
    result = router.call("dead-letters", "list", "--sink", "none")
    assert (result.exit_code, result.stdout) == (0, "There are no dead letters with sink none.\n")
    router.operators.kept.clear()
    assert router.call("dead-letters", "list").stdout == "There are no dead letters.\n"
    assert router.call("dead-letters", "replay", "--all", "--yes").stdout == "There are no dead letters.\n"


def test_show_has_everything(router: Running) -> None:
    result = router.call("dead-letters", "show", "7", "8")
    assert result.exit_code == 0, result.output
    for words in (
        "dead letter   7",
        '"number": 7',
        "Attempts",
        "timeout",
        "answered 500: oops",
        "What to do:",
        "dead letter   8",
    ):
        assert words in result.stdout
    assert "max.message.bytes" in result.stdout
    assert router.call("dead-letters", "show", "99").stderr.startswith("Error: there is no dead letter 99")
    assert router.call("dead-letters", "show").exit_code == 2
    lines = router.call("dead-letters", "show", "7", "8", "--json").stdout.splitlines()
    assert [json.loads(line)["id"] for line in lines] == [7, 8]


def test_what_an_event_holds_does_nothing_to_the_terminal(router: Running) -> None:
    evil = "\x1b[2J\x9b31m\u202e\nx"
    body = json.dumps({"id": "e1", "data": evil}, ensure_ascii=False).encode()
    router.operators.kept[0] = letter(1, subject=evil, detail=evil, body=body)
    for args in (["list"], ["show", "1"], ["list", "--json"]):
        shown = router.call("dead-letters", *args).stdout
        assert not set("\x1b\x9b\u202e") & set(shown)
    assert (
        json.loads(router.call("dead-letters", "list", "--json", "--sink", "iam").stdout)["letters"][0]["subject"]
        == evil
    )


def test_numbers_are_shown_and_exported_as_they_came(router: Running, tmp_path: Path) -> None:
    exact = '{"id":"e1","data":{"big":123456789012345678901234567890,"money":1.10}}'
    router.operators.kept[0] = letter(1, body=exact.encode())
    shown = router.call("dead-letters", "show", "1").stdout
    assert "123456789012345678901234567890" in shown
    assert "1.10" in shown
    file = tmp_path / "letters.jsonl"
    assert router.call("dead-letters", "export", "--output", str(file)).exit_code == 0
    assert f'"envelope":{exact}' in file.read_text()


@pytest.mark.parametrize(
    ("action", "said"), [("replay", "Gave back 7 dead letters."), ("purge", "Deleted 7 dead letters.")]
)
def test_bulk_says_what_it_does_and_does_it(router: Running, action: str, said: str) -> None:
    result = router.call("dead-letters", action, "--sink", "iam", "--yes")
    assert result.exit_code == 0, result.output
    assert result.stdout == said + "\n"
    assert "http_500  7 " in result.stderr
    assert "7 dead letters will be " in result.stderr
    assert [one.id for one in router.operators.kept] == [8, 9]
    assert router.actions == [f'{action} dead letters {{"sink":["iam"],"up_to_id":7}}']


@pytest.mark.parametrize("action", ["replay", "purge"])
@pytest.mark.parametrize(
    "args",
    [[], ["--sink", "iam"], ["--yes"], ["--all", "--sink", "iam", "--yes"], ["--sink", " ", "--yes"], ["0", "--yes"]],
)
def test_bulk_refuses_what_is_not_clear(router: Running, action: str, args: list[str]) -> None:
    result = router.call("dead-letters", action, *args)
    assert result.exit_code == 2, result.output
    assert router.operators.asked == []


def test_bulk_by_number(router: Running) -> None:
    assert router.call("dead-letters", "replay", "2", "3", "--yes").exit_code == 0
    assert sorted(one.id for one in router.operators.kept) == [1, 4, 5, 6, 7, 8, 9]


@pytest.mark.parametrize("action", ["replay", "purge"])
def test_what_dies_meanwhile_is_not_touched_and_the_work_ends(router: Running, action: str) -> None:
    operators = router.operators
    operators.kept = [letter(n) for n in range(1, MANY + 1)]

    def another() -> None:
        operators.kept.append(letter(len(operators.kept) + MANY * 10, position=1))

    operators.before_slice = another
    result = router.call("dead-letters", action, "--all", "--yes")
    assert result.exit_code == 0, result.output
    assert f"{MANY:,} dead letters" in result.stdout
    assert len(operators.kept) == 4
    assert all(one.id > MANY for one in operators.kept)


def test_what_could_not_be_given_back_is_named(router: Running) -> None:
    router.operators.skips = {2: "still not understood", 3: "still not understood"}
    result = router.call("dead-letters", "replay", "--sink", "iam", "--yes")
    assert result.exit_code == 1
    assert "Gave back 5 dead letters." in result.stdout
    assert "2 dead letters could not be given back, such as 2: still not understood" in result.stderr


def test_a_router_that_ends_meanwhile_leaves_it_half_done(router: Running) -> None:
    operators = router.operators
    operators.kept = [letter(n) for n in range(1, MANY + 1)]

    def fail() -> None:
        if len(operators.kept) < MANY:
            operators.raises = OperationError("the router ends")

    operators.before_slice = fail
    result = router.call("dead-letters", "replay", "--all", "--yes")
    assert result.exit_code == 1
    assert "the router ends" in result.stderr
    assert f"At least {SLICE} of {MANY} are done; the same command goes on with the rest." in result.stderr
    operators.raises, operators.before_slice = None, lambda: None
    assert f"Gave back {MANY - SLICE} " in router.call("dead-letters", "replay", "--all", "--yes").stdout


def test_at_a_terminal_it_asks(router: Running) -> None:
    with Terminal(router.environ, "dead-letters", "purge", "--sink", "iam") as terminal:
        terminal.wait_for("Delete them? [y/N]")
        assert "7 dead letters will be DELETED for good." in terminal.seen
        terminal.type("n\n")
        assert terminal.end() == 1
        assert "Nothing was changed." in terminal.seen
    assert len(router.operators.kept) == 9
    with Terminal(router.environ, "dead-letters", "purge", "--sink", "iam") as terminal:
        terminal.wait_for("Delete them? [y/N]")
        terminal.type("y\n")
        assert terminal.end() == 0
        assert "100%" in terminal.seen
        assert "Deleted 7 dead letters." in terminal.seen
    assert len(router.operators.kept) == 2


def test_ctrl_c_says_how_far_it_came_and_the_same_command_goes_on(router: Running) -> None:
    operators = router.operators
    operators.kept = [letter(n) for n in range(1, MANY + 1)]
    operators.wait = 60.0
    waiting = threading.Event()
    operators.before_slice = waiting.set
    with Terminal(router.environ, "dead-letters", "replay", "--all", "--yes") as terminal:
        assert waiting.wait(90)
        terminal.wait_for("%")
        terminal.wait_for(f"{SLICE * 100 // MANY}%")
        terminal.interrupt()
        assert terminal.end() == 130
        assert f"Interrupted. At least {SLICE} of {MANY} are done; the same command goes on" in terminal.seen
    assert len(operators.kept) == MANY - SLICE
    operators.wait = 0.0
    assert router.call("dead-letters", "replay", "--all", "--yes").exit_code == 0
    assert operators.kept == []


def test_export_writes_whole_letters_or_no_file(router: Running, tmp_path: Path) -> None:
    file = tmp_path / "out.jsonl"
    result = router.call("dead-letters", "export", "--output", str(file), "--sink", "iam")
    assert (result.exit_code, result.stderr) == (0, f"Wrote 7 dead letters to {file}.\n")
    assert [json.loads(line)["envelope"]["id"] for line in file.read_text().splitlines()] == [
        f"e{n}" for n in range(1, 8)
    ]
    assert file.stat().st_mode & 0o777 == 0o600
    again = router.call("dead-letters", "export", "--output", str(file))
    assert again.exit_code == 1
    assert "is there already" in again.stderr
    assert router.call("dead-letters", "export", "--output", str(file), "--force").exit_code == 0
    assert len(file.read_text().splitlines()) == 9
    piped = router.call("dead-letters", "export", "--output", "-")
    assert len(piped.stdout.splitlines()) == 9


@pytest.mark.parametrize("args", [["--since", "yesterday"], ["--limit", "0"], ["--sink", ""]])
def test_wrong_usage(router: Running, args: list[str]) -> None:
    assert router.call("dead-letters", "list", *args).exit_code == 2


def test_help_is_for_someone_at_3_am() -> None:
    for name in ("list", "show", "replay", "purge", "export"):
        shown = call("dead-letters", name, "--help").output
        assert f"feishu-event-router dead-letters {name}" in shown
