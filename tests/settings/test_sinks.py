import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.journal.contract import INGRESS
from router.settings import SettingsError, load
from router.settings.sinks import TAKEN


def faults(*sinks: str, **said: str) -> list[str]:
    """`iam__dead_letters="graves"` sets FER_SINK__IAM__DEAD_LETTERS; the faults that come of it, a line each."""
    environ = {"FER_SINKS": ",".join(sinks), "FER_APP__ENCRYPT_KEY": "k"}
    environ |= {f"FER_SINK__{name.upper()}__TYPE": "memory" for name in sinks}
    environ |= {f"FER_SINK__{name.upper()}": value for name, value in said.items()}
    try:
        load(environ)
    except SettingsError as error:
        return [str(fault) for fault in error.faults]
    return []


def test_dead_letters_go_to_another_sink_and_several_may_share_it() -> None:
    assert not faults("iam", "bus", "graves", iam__dead_letters="graves", bus__dead_letters="graves")


@pytest.mark.parametrize(
    ("sinks", "said", "fault"),
    [
        (
            ["iam", "graves"],
            {"iam__dead_letters": "grave"},
            "FER_SINK__IAM__DEAD_LETTERS: names 'grave', and there is no such sink (did you mean graves?)",
        ),
        (
            ["iam", "graves"],
            {"iam__dead_letters": "xyz"},
            "FER_SINK__IAM__DEAD_LETTERS: names 'xyz', and there is no such sink (name another sink: graves)",
        ),
        (
            ["iam"],
            {"iam__dead_letters": "iam2"},
            "FER_SINK__IAM__DEAD_LETTERS: names 'iam2', and there is no such sink (add a sink for them to FER_SINKS)",
        ),
        (
            ["iam", "bus"],
            {"iam__dead_letters": "iam"},
            "FER_SINK__IAM__DEAD_LETTERS: names the sink itself, which doesn't take them (name another sink: bus)",
        ),
        (
            ["a", "b", "c"],
            {"a__dead_letters": "b", "b__dead_letters": "c"},
            (
                "FER_SINK__A__DEAD_LETTERS: names b, whose own dead letters go to c: copies of copies would go round"
                " (unset FER_SINK__B__DEAD_LETTERS, or name a sink without one)"
            ),
        ),
        (["iam"], {"iam__was": "iam"}, "FER_SINK__IAM__WAS: names the sink itself (unset FER_SINK__IAM__WAS)"),
        (
            ["iam", "bus"],
            {"iam__was": "bus"},
            (
                "FER_SINK__IAM__WAS: names bus, which is still a sink and keeps its own place"
                " (unset FER_SINK__IAM__WAS, or take bus out of FER_SINKS)"
            ),
        ),
        (
            ["iam"],
            {"iam__was": "Old-Iam"},
            (
                "FER_SINK__IAM__WAS: has the name 'Old-Iam', which no sink can have had; names are lower-case letters and"
                " digits, joined by single underscores"
            ),
        ),
        (
            ["a", "b"],
            {"a__was": "old", "b__was": "old"},
            "FER_SINK__B__WAS: names old, whose place a takes over (unset FER_SINK__B__WAS)",
        ),
    ],
)
def test_what_cannot_be_meant_is_said(sinks: list[str], said: dict[str, str], fault: str) -> None:
    assert faults(*sinks, **said) == [fault]


def test_the_name_under_which_pushes_are_kept_is_no_sinks() -> None:
    assert TAKEN == INGRESS
    [fault] = faults("iam", "ingress")
    assert fault == "FER_SINKS: names 'ingress', which stands for pushes that were not understood (choose another name)"
    [fault] = faults("iam", iam__was="ingress")
    assert fault.startswith("FER_SINK__IAM__WAS: has the name 'ingress', which no sink can have had")


def test_a_name_that_is_free_can_be_taken_over() -> None:
    assert not faults("iam", "bus", iam__was="identity", bus__was="kafka")


def test_a_sink_with_faults_of_its_own_is_there_all_the_same() -> None:
    [fault] = faults("iam", "graves", iam__dead_letters="graves", graves__type="memry")
    assert fault.startswith("FER_SINK__GRAVES__TYPE: ")


def test_all_faults_are_said_at_once() -> None:
    assert len(faults("iam", "bus", iam__dead_letters="x", iam__was="bus", iam__rate="many")) == 3


def test_two_sinks_that_name_each_other_are_both_blamed() -> None:
    assert len(faults("a", "b", a__dead_letters="b", b__dead_letters="a")) == 2


NAMES = st.sampled_from(["a", "b", "c", "d", ""])


@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), st.tuples(NAMES, NAMES), min_size=1))
def test_settings_without_faults_can_be_carried_out(sinks: dict[str, tuple[str, str]]) -> None:
    said = {f"{name}__dead_letters": letters for name, (letters, _) in sinks.items()}
    said |= {f"{name}__was": was for name, (_, was) in sinks.items()}
    ends = {letters for letters, _ in sinks.values() if letters}
    left = [was for _, was in sinks.values() if was]
    sound = ends <= sinks.keys() and not any(sinks[end][0] for end in ends)
    sound = sound and not set(left) & sinks.keys() and len(left) == len(set(left))
    assert sound == (not faults(*sinks, **said))


def test_ids_of_programs_tell_their_sinks_apart() -> None:
    environ = {"FER_SINKS": "a,b,c"}
    for name, app_id in (("A", "cli_1"), ("B", "cli_2"), ("C", "cli_1")):
        environ |= {
            f"FER_SINK__{name}__TYPE": "feishu_ws",
            f"FER_SINK__{name}__APP_ID": app_id,
            f"FER_SINK__{name}__APP_SECRET": "secret-of-sixteen",
        }
    with pytest.raises(SettingsError) as caught:
        load(environ)
    [fault] = caught.value.faults
    assert fault.variable == "FER_SINK__C__APP_ID"
    assert "FER_SINK__A__APP_ID" in fault.problem
    assert "openssl" in fault.suggestion
