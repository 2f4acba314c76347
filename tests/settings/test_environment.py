from hypothesis import given
from hypothesis import strategies as st

from router.settings.environment import Environment
from router.settings.files import ValueFileError
from router.settings.model import Settings
from router.settings.names import Leaf, leaves


def nothing_there(path: str) -> str:
    raise ValueFileError(f"there is no file {path}")


LEAVES = list(leaves(Settings, "FER", frozenset({"apps", "sinks"})))
values = st.text().filter(str.strip)


def put(tree: dict[str, object], leaf: Leaf) -> object:
    value: object = tree
    for name in leaf.path:
        assert isinstance(value, dict)
        value = value[name]
    return value


@given(st.dictionaries(st.sampled_from([leaf for leaf in LEAVES if not leaf.names_file]), values))
def test_what_is_set_is_found_where_the_settings_class_has_it(given_: dict[Leaf, str]) -> None:
    env = Environment({leaf.variable: text for leaf, text in given_.items()}, nothing_there)
    tree = env.tree(LEAVES)
    assert all(put(tree, leaf) == text for leaf, text in given_.items())
    assert not env.faults
    assert not env.unknown()
    assert sum(len(v) if isinstance(v, dict) else 1 for v in tree.values()) == len(given_)


@given(st.sets(st.sampled_from([leaf for leaf in LEAVES if leaf.from_file])), values)
def test_values_from_files_are_the_same_as_plain_ones(chosen: set[Leaf], text: str) -> None:
    plain = Environment({leaf.variable: text for leaf in chosen}, nothing_there)
    from_files = Environment({leaf.from_file: "/f" for leaf in chosen}, lambda _: text)
    assert plain.tree(LEAVES) == from_files.tree(LEAVES)
    assert not from_files.faults


def test_unknown_is_what_nobody_asked_for() -> None:
    env = Environment({"FER_A": "1", "FER_B_FILE": "", "FER_C": "", "OTHER": "1"}, nothing_there)
    assert env.text("FER_A", "FER_A_FILE") == "1"
    assert env.text("FER_B", "FER_B_FILE") is None
    assert env.unknown() == ["FER_C"]
    assert env.known("FER_A") == ["FER_A", "FER_A_FILE"]


def test_fault_of_a_file_stands_under_the_file_variable_and_spares_the_rest() -> None:
    env = Environment({"FER_LISTEN_FILE": "/f", "FER_LOG__LEVEL": "info"}, nothing_there)
    assert env.tree(LEAVES) == {"log": {"level": "info"}}
    assert [fault.variable for fault in env.faults] == ["FER_LISTEN_FILE"]
    assert env.faulty == {"FER_LISTEN"}
