import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.dispatch.routes import CACHE_MAX, CACHED_MAX_LENGTH, Globs, Routes, letters_of, wanted
from router.envelope import Envelope
from sinks.settings import SinkSettings
from tests.doubles.envelopes import TYPE, make_envelope


def routes(*letters_of: str, **settings: Sequence[str]) -> Routes:
    return Routes(SinkSettings.model_validate({"type": "memory", **settings}), frozenset(letters_of))


def event(**attributes: Any) -> Envelope:
    return make_envelope()._replace(**attributes)


@pytest.mark.parametrize(
    ("patterns", "type_", "matches"),
    [
        (["*"], "contact.user.created_v3", True),
        (["*"], "", True),
        (["contact.*"], "contact.user.created_v3", True),
        (["contact.*"], "corehr.contact.x", False),
        (["contact"], "contact.user.created_v3", False),
        (["contact.*", "!contact.user.*"], "contact.user.created_v3", False),
        (["!contact.user.*", "contact.*"], "contact.user.created_v3", False),
        (["contact.*", "!contact.user.*"], "contact.department.created_v3", True),
        (["!contact.*"], "corehr.x", True),
        (["!contact.*"], "contact.x", False),
        (["! contact.*"], "contact.x", False),
        (["contact.?ser.*"], "contact.user.created_v3", True),
        (["Contact.*"], "contact.user.created_v3", False),
        (["a", "b"], "b", True),
        ([], "anything", True),
        (["*"], None, True),
        (["a", "*"], None, True),
        (["!a"], None, True),
        ([], None, True),
        (["a"], None, False),
        (["?*"], None, False),
        (["**"], None, False),
        (["!*"], None, False),
        (["*", "!?*"], None, True),
        (["*", "!?*"], "a", False),
    ],
)
def test_globs_and_exclusions(patterns: list[str], type_: str | None, matches: bool) -> None:
    globs = Globs(patterns)
    assert globs[type_] is matches
    assert globs[type_] is matches  # remembered


TEXT = st.text(st.sampled_from("ab._*?![]|\n\\"), max_size=8)


@given(st.lists(TEXT, max_size=4), TEXT)
def test_any_patterns_give_an_answer_and_exclusions_win(patterns: list[str], text: str) -> None:
    matches = Globs(patterns)[text]
    assert Globs([*patterns, "!*"])[text] is False
    if all(pattern.startswith("!") for pattern in patterns):
        assert matches == Globs(["*", *patterns])[text]


@given(st.lists(TEXT, max_size=4), TEXT)
def test_it_is_what_each_pattern_says_by_itself(patterns: list[str], text: str) -> None:
    wants = [pattern for pattern in patterns if not pattern.startswith("!")] or ["*"]
    not_ = [pattern[1:].strip() for pattern in patterns if pattern.startswith("!")]
    every = [any(fnmatchcase(text, pattern) for pattern in these) for these in (wants, not_)]
    assert Globs(patterns)[text] is (every == [True, False])
    assert not Globs(patterns).everything or Globs(patterns)[text]


@given(st.from_regex(re.compile(r"[a-z_]{1,9}(\.[a-z_]{1,9}){0,3}"), fullmatch=True))
def test_a_plain_name_matches_itself_only(name: str) -> None:
    globs = Globs([name])
    assert globs[name]
    assert not globs[name + "x"]
    assert not globs["x" + name]


def test_made_up_names_cost_no_memory_without_end() -> None:
    globs = Globs(["a.*"])
    for n in range(3 * CACHE_MAX):
        assert globs[f"a.{n}"]
        assert not globs[f"b.{n}"]
        assert globs[f"a.{n}" + "x" * CACHED_MAX_LENGTH]
        assert len(globs) <= CACHE_MAX
        assert all(len(text or "") <= CACHED_MAX_LENGTH for text in list(globs)[-2:])


@pytest.mark.parametrize(
    ("settings", "attributes", "goes"),
    [
        ({}, {}, True),
        ({}, {"subject": None, "appid": "", "tenantkey": ""}, True),
        ({"events": ["corehr.*"]}, {}, True),
        ({"events": ["contact.*"]}, {}, False),
        ({"apps": ["cli_a*"]}, {}, True),
        ({"apps": ["cli_b*"]}, {}, False),
        ({"apps": ["!cli_a1"]}, {}, False),
        ({"apps": ["cli_a*"]}, {"appid": ""}, False),
        ({"tenants": ["t-1", "t-2"]}, {}, True),
        ({"tenants": ["*", "!t-1"]}, {}, False),
        ({"subjects": ["od-?"]}, {}, True),
        ({"subjects": ["od-2"]}, {}, False),
        ({"subjects": ["!od-2"]}, {"subject": None}, True),
        ({"subjects": ["od-*"]}, {"subject": None}, False),
        ({"events": ["corehr.*"], "apps": ["cli_a1"], "tenants": ["t-1"], "subjects": ["od-1"]}, {}, True),
        ({"events": ["corehr.*"], "apps": ["cli_a1"], "tenants": ["t-2"], "subjects": ["od-1"]}, {}, False),
    ],
)
def test_all_conditions_must_hold(
    settings: dict[str, list[str]], attributes: dict[str, str | None], goes: bool
) -> None:
    assert routes(**settings).wants(event(**attributes)) is goes


def test_a_replays_conditions_are_the_same_ones() -> None:
    assert wanted()(event(subject=None, appid=""))
    assert wanted(("corehr.*",), ("cli_a1",), ("t-1",), ("od-1",))(event())
    for other in (("contact.*",), (), (), ()), ((), ("x",), (), ()), ((), (), ("x",), ()), ((), (), (), ("x",)):
        assert not wanted(*other)(event())
    assert not wanted(types=("*", "!corehr.department.*"))(event())


NAMES = st.sampled_from(["a", "b", "ab", ""])
PATTERNS = st.lists(st.sampled_from(["a", "b", "a*", "*", "!a", "!*b", "?"]), max_size=3)


@given(PATTERNS, PATTERNS, PATTERNS, PATTERNS, st.tuples(NAMES, NAMES, NAMES, NAMES | st.none()))
def test_settings_and_replays_agree_whatever_is_asked(
    events: list[str],
    apps: list[str],
    tenants: list[str],
    subjects: list[str],
    of: tuple[str, str, str, str | None],
) -> None:
    one = event(type=of[0], appid=of[1], tenantkey=of[2], subject=of[3])
    goes = routes(events=events, apps=apps, tenants=tenants, subjects=subjects).wants(one)
    each = Globs(events)[of[0]], Globs(apps)[of[1]], Globs(tenants)[of[2]], Globs(subjects)[of[3]]
    assert goes is all(each)
    assert wanted(events, apps, tenants, subjects)(one) is goes


def test_copies_of_dead_letters_go_where_they_are_asked_for_and_nothing_else_does() -> None:
    letter = event().marked(deadsink="iam", deadreason="http_400")
    ordinary, graves, others = routes(), routes("iam", "bus"), routes("bus")
    assert [each.wants(event()) for each in (ordinary, graves, others)] == [True, False, False]
    assert [each.wants(letter) for each in (ordinary, graves, others)] == [False, True, False]


def test_a_sink_of_dead_letters_may_want_some_of_them_only() -> None:
    letter = event().marked(deadsink="iam")
    assert routes("iam", events=["corehr.*"], subjects=["od-1"]).wants(letter)
    assert not routes("iam", events=["contact.*"]).wants(letter)
    assert not routes("iam", subjects=["od-2"]).wants(letter)


def test_whose_dead_letters_go_to_a_sink() -> None:
    settings = {"a": "graves", "b": "graves", "c": "", "graves": ""}
    sinks = {name: SinkSettings(type="memory", dead_letters=to) for name, to in settings.items()}
    assert letters_of("graves", sinks) == {"a", "b"}
    assert letters_of("a", sinks) == letters_of("c", sinks) == frozenset()


def test_types_are_shown_for_sinks_of_ordinary_events_only() -> None:
    assert routes(events=["corehr.*"], subjects=["nobody"]).wants_type(TYPE)
    assert not routes(events=["contact.*"]).wants_type(TYPE)
    assert not routes("iam").wants_type(TYPE)
