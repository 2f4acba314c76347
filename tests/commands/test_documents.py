"""Which events a command pushes. `send`'s and `simulate`'s own tests see the files and types that are refused."""

from pathlib import Path

import click
import orjson
import pytest

from router.commands.documents import documents
from router.feishu.samples import sample, seed_types


def test_samples_by_default_and_by_type() -> None:
    assert documents((), None) == [sample(type_) for type_ in seed_types()]
    assert documents(["corehr.department.updated_v2"], None) == [sample("corehr.department.updated_v2")]


def test_pushes_and_bare_events_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "events.json"
    pushes = [sample("corehr.department.updated_v2"), sample("approval_instance")]
    file.write_bytes(orjson.dumps(pushes))
    assert documents((), file) == pushes
    file.write_bytes(b"\n\n".join(map(orjson.dumps, pushes)) + b"\n")
    assert documents((), file) == pushes
    file.write_bytes(orjson.dumps(pushes[0], option=orjson.OPT_INDENT_2))
    assert documents((), file) == pushes[:1]
    file.write_bytes(orjson.dumps([{"a": 1}, {"b": 2}]))
    assert [push["event"] for push in documents(["x.y_v1"], file)] == [{"a": 1}, {"b": 2}]


@pytest.mark.parametrize("between", [b",", b"\n"])
def test_numbers_of_a_file_stay_as_they_are(tmp_path: Path, between: bytes) -> None:
    file = tmp_path / "events.json"
    text = b'{"n":123456789012345678901234567890,"f":1.10}'
    file.write_bytes(between.join([text, text]) if between == b"\n" else b"[" + between.join([text, text]) + b"]")
    assert [orjson.dumps(push["event"]) for push in documents(["x.y_v1"], file)] == [text, text]


@pytest.mark.parametrize(
    ("types", "content", "words"),
    [
        ([" "], None, "--type is empty"),
        ([], b"{", "no JSON"),
        ([], b"", "JSON object"),
        ([], b'{"a":1}\n{', "no JSON.*line 2"),
        ([], b"1\n2", "JSON object"),
        ([], b"[]", "JSON object"),
        ([], b"[1]", "JSON object"),
        ([], b'{"a":1}', "holds no push"),
        (["a", "b"], b'{"a":1}', "at most one --type"),
    ],
)
def test_what_can_not_be_pushed(tmp_path: Path, types: list[str], content: bytes | None, words: str) -> None:
    file = tmp_path / "file"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(click.UsageError, match=words):
        documents(types, file if content is not None else None)
