import os
import re
import time
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.file.paths import PLACEHOLDERS, PathTemplate, safe_value
from tests.doubles.envelopes import make_envelope

texts = st.text(max_size=300) | st.sampled_from(["", ".", "..", "../..", "/etc/passwd", "a/../b", "~", "%empty", "\0"])


@pytest.mark.parametrize(
    ("template", "root"),
    [
        ("/data/{date}/{event_type}.jsonl", "/data"),
        ("/data/feishu-{date}.jsonl", "/data"),
        ("/data/all.jsonl", "/data"),
        ("data/x/{app}/y.jsonl", "data/x"),
        ("{app}.jsonl", "."),
        ("/{app}.jsonl", "/"),
        ("../up/{app}.jsonl", "../up"),
    ],
)
def test_the_root_is_the_fixed_folder_in_front(template: str, root: str) -> None:
    assert PathTemplate(template).root == root


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("/data/{type}.jsonl", "unknown placeholder {type}; known are date, hour, app, tenant, event_type, sink"),
        ("/data/{}.jsonl", "unknown placeholder {}"),
        ("/data/{date.jsonl", "stands alone"),
        ("/data/date}.jsonl", "stands alone"),
        ("/data/{date}/", "the file's name is missing"),
        ("/data/{date}/../x.jsonl", "no empty, . or .."),
        ("/data/{date}//x.jsonl", "no empty, . or .."),
        ("/data/..", "no empty, . or .."),
        ("", "empty"),
        ("/data/\0.jsonl", "NUL"),
        ("/data/{date}.jsonl.gz", "COMPRESSION"),
        ("/data/" + "x" * 216, "too long"),
        ("/data/{app}{tenant}{event_type}" + "x" * 130, "too long"),
    ],
)
def test_a_bad_template_is_told_with_words(template: str, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        PathTemplate(template)


def test_the_event_gives_the_values() -> None:
    template = PathTemplate("/d/{date}/{hour}/{app}/{tenant}/{sink}-{event_type}.jsonl")
    relative = template.relative(make_envelope(), "archive")
    assert relative == "2026-01-31/23/cli_a1/t-1/archive-corehr.department.updated_v2.jsonl"


@pytest.mark.parametrize(
    ("recorded", "expected"),
    [
        ("2026-02-01T07:30:00+08:00", "2026-01-31T23"),
        ("2026-01-31T23:30:00Z", "2026-01-31T23"),
        ("nonsense", "%emptyT%empty"),
        ("../../etc/passwd", "%emptyT%empty"),
        ("../../etc/passwdZ", "%emptyT%empty"),
    ],
)
def test_date_and_hour_are_those_of_utc(recorded: str, expected: str) -> None:
    relative = PathTemplate("/d/{date}T{hour}").relative(make_envelope(recorded=recorded), "")
    assert relative == expected


@given(app=texts, tenant=texts, type_=texts, recorded=texts, sink=texts)
def test_no_value_leaves_the_root(app: str, tenant: str, type_: str, recorded: str, sink: str) -> None:
    template = PathTemplate("/data/{app}/{tenant}{hour}/{date}-{sink}/{event_type}.jsonl")
    envelope = make_envelope()._replace(appid=app, tenantkey=tenant, type=type_, recordedtime=recorded)
    relative = template.relative(envelope, sink)
    parts = relative.split("/")
    assert len(parts) == 4
    assert all(part not in {"", ".", ".."} and len(os.fsencode(part)) <= 255 for part in parts)
    assert len(parts[-1]) + len("@20260131T235959Z-0001.zst.tmp") <= 255
    assert PurePosixPath(os.path.normpath(f"/data/{relative}")).is_relative_to("/data")
    assert template.live.fullmatch(relative)
    assert not template.closed.fullmatch(relative)
    closed = template.closed_name(relative, time.time(), 12)
    assert template.closed.fullmatch(closed)
    assert not template.live.fullmatch(closed)
    assert PurePosixPath(closed).suffix == ".jsonl"


@given(texts, texts, st.integers(32, 200))
def test_distinct_values_stay_distinct(first: str, second: str, limit: int) -> None:
    one, two = safe_value(first, limit), safe_value(second, limit)
    assert (one == two) == (first == second)
    assert 0 < len(one) <= limit
    assert not one.startswith(".")
    assert one.isascii()


def test_long_values_differ_by_their_end() -> None:
    assert safe_value("x" * 500 + "a", 100) != safe_value("x" * 500 + "b", 100)


@given(st.text("abcXYZ019_-", min_size=1, max_size=32))
def test_plain_values_stay_as_they_are(value: str) -> None:
    assert safe_value(value, 32) == value


@given(
    st.lists(st.sampled_from([*(f"{{{name}}}" for name in PLACEHOLDERS), "/", "a", ".", "-", "{", "}"]), max_size=12)
)
def test_any_template_is_taken_or_refused(tokens: list[str]) -> None:
    try:
        template = PathTemplate("".join(tokens))
    except ValueError:
        return
    relative = template.relative(make_envelope(), "s")
    assert template.live.fullmatch(relative)
    assert template.closed.fullmatch(template.closed_name(relative, 0.0, 1))


def test_a_repeated_placeholder_stands_for_one_value() -> None:
    template = PathTemplate("/d/{date}/{app}-{date}.jsonl")
    assert template.live.fullmatch("2026-01-01/a-2026-01-01.jsonl")
    assert not template.live.fullmatch("2026-01-01/a-2026-01-02.jsonl")


def test_a_file_is_over_when_its_hour_is() -> None:
    template = PathTemplate("/d/{date}/{hour}.jsonl")
    at_noon = 1_767_268_800.0
    assert not template.over("2026-01-01/12.jsonl", at_noon)
    assert template.over("2026-01-01/11.jsonl", at_noon)
    assert template.over("2025-12-31/12.jsonl", at_noon)
    assert not template.over("elsewhere.jsonl", at_noon)
    assert not PathTemplate("/d/{app}.jsonl").over("a.jsonl", at_noon)


def test_closed_names_tell_when_and_keep_the_extension() -> None:
    assert PathTemplate("/d/{app}.jsonl").closed_name("a.b.jsonl", 0.0, 7) == "a.b@19700101T000000Z-0007.jsonl"
    assert PathTemplate("/d/{app}").closed_name("a.b", 0.0, 7) == "a.b@19700101T000000Z-0007"
