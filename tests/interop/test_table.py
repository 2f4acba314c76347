"""The comparison sees what it must, and the table says it."""

import copy

import pytest

from router.feishu.samples import fresh, sample, seed_types
from tests.interop.build import SDKS
from tests.interop.lines import differences, expected, id_of
from tests.interop.matrix import OK, Way, table

PUSH = fresh(sample("corehr.employee.domain_event_v2"), 1700000000.0, "", "cli_1")
OLD = fresh(sample("approval_instance"), 1700000000.0, "", "cli_1")


@pytest.mark.parametrize("sdk", SDKS)
@pytest.mark.parametrize("push", [PUSH, OLD], ids=["2.0", "1.0"])
def test_a_line_is_like_itself_and_known_by_its_id(sdk: str, push: dict[str, object]) -> None:
    line = expected(sdk, push, "a token")
    assert not list(differences(line, copy.deepcopy(line)))
    assert id_of(line) == id_of({"document": push})


def test_node_has_one_object_in_which_the_event_s_own_names_win() -> None:
    assert expected("node", PUSH, "t")["event_type"] == 1
    assert expected("node", OLD, "t")["type"] == "event_callback"


@pytest.mark.parametrize(
    ("wanted", "got", "said"),
    [
        ({"a": {"b": "1"}}, {"a": {"b": 1}}, "a.b: '1' became 1"),
        ({"a": 1}, {"a": True}, "a: 1 became True"),
        ({"a": 1}, {}, "a: 1 became nothing"),
        ({}, {"a": None}, "a: nothing became None"),
        ({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}, "a[1].b: 2 became 3"),
        ({"a": [1]}, {"a": [1, 2]}, "a: [1] became [1, 2]"),
    ],
)
def test_each_difference_is_named(wanted: object, got: object, said: str) -> None:
    assert list(differences(wanted, got)) == [said]


def test_the_table_counts_what_is_filled_and_says_what_is_wrong() -> None:
    ways = {Way(type_, "webhook", bot): OK for type_ in seed_types() for bot in ("go_webhook", "go_long")}
    assert table(ways).endswith("\n10 of 10 ways")
    ways[Way(seed_types()[3], "webhook", "go_long")] = "nothing arrived"
    shown = table(ways)
    assert "corehr.department.updated_v2 webhook go_long: nothing arrived\n9 of 10 ways" in shown
    assert shown.count("WRONG") == 1
