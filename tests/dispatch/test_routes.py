import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.dispatch.routes import CACHE_MAX, Routes


@pytest.mark.parametrize(
    ("patterns", "type_", "wanted"),
    [
        (["*"], "contact.user.created_v3", True),
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
    ],
)
def test_globs_and_exclusions(patterns: list[str], type_: str, wanted: bool) -> None:
    routes = Routes(patterns)
    assert routes.wants(type_) is wanted
    assert routes.wants(type_) is wanted  # remembered


TEXT = st.text(st.sampled_from("ab._*?![]|\n\\"), max_size=8)


@given(st.lists(TEXT, max_size=4), TEXT)
def test_any_patterns_give_an_answer_and_exclusions_win(patterns: list[str], type_: str) -> None:
    wanted = Routes(patterns).wants(type_)
    assert Routes([*patterns, "!*"]).wants(type_) is False
    if all(pattern.startswith("!") for pattern in patterns):
        assert wanted == Routes(["*", *patterns]).wants(type_)


@given(st.from_regex(re.compile(r"[a-z_]{1,9}(\.[a-z_]{1,9}){0,3}"), fullmatch=True))
def test_a_plain_type_wants_itself_only(type_: str) -> None:
    routes = Routes([type_])
    assert routes.wants(type_)
    assert not routes.wants(type_ + "x")
    assert not routes.wants("x" + type_)


def test_made_up_types_cost_no_memory_without_end() -> None:
    routes = Routes(["a.*"])
    for n in range(CACHE_MAX + 100):
        assert routes.wants(f"a.{n}")
        assert not routes.wants(f"b.{n}")
    assert len(routes._known) == CACHE_MAX
