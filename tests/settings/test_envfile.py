from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.settings import SettingsError
from router.settings.envfile import EnvFile, faults_of, merge, parse_env_file, read_env_file, scan_env_file


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("K=v", "v"),
        ("  export K = v  ", "v"),
        ("K=", ""),
        ("K=a b # comment", "a b"),
        ("K=a#b", "a#b"),
        ("K=# nothing", ""),
        ('K="a # b" # comment', "a # b"),
        (r'K="line\nbreak \"q\" \\ \x"', 'line\nbreak "q" \\ x'),
        ("K='$HOME \\n \"'", '$HOME \\n "'),
        ("K=$HOME=x", "$HOME=x"),
        ("K=it's", "it's"),
        ("K=v\r", "v"),
    ],
)
def test_one_line(line: str, value: str) -> None:
    assert parse_env_file(line).values == {"K": value}


def test_comments_empty_lines_and_byte_order_mark() -> None:
    assert parse_env_file("\ufeffA=1\n\n# B=2\n  # C=3\nA=4\n") == EnvFile({"A": "4"}, [])


def test_all_bad_lines_at_once_without_their_values() -> None:
    text = 'OK=1\nsecret words\nB=\'secret\n1A=secret\nC="secret" secret\nexport D: secret\n'
    found = parse_env_file(text, "my.env")
    assert found.values == {"OK": "1"}
    assert [fault.variable for fault in found.faults] == [f"my.env line {n}" for n in (2, 3, 4, 5, 6)]
    assert {"B", "C", "D"} <= found.unread
    assert "secret" not in str(found.faults)


names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,10}", fullmatch=True)


@given(st.text())
def test_any_text_gives_variables_or_faults(text: str) -> None:
    found = parse_env_file(text)
    assert all(isinstance(value, str) for value in found.values.values())
    lines = [
        line for line in text.removeprefix("\ufeff").split("\n") if line.strip() and not line.strip().startswith("#")
    ]
    assert len(found.values) + len(found.faults) <= len(lines)


@given(st.dictionaries(names, st.text()))
def test_double_quotes_carry_any_value(values: dict[str, str]) -> None:
    def quote(value: str) -> str:
        return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

    text = "\n".join(f'export {name}="{quote(value)}" # c' for name, value in values.items())
    assert parse_env_file(text) == EnvFile(values, [])


@given(st.dictionaries(names, st.text().filter(lambda value: "'" not in value and "\n" not in value)))
def test_single_quotes_carry_what_has_none(values: dict[str, str]) -> None:
    assert parse_env_file("\n".join(f"{name}='{value}'" for name, value in values.items())).values == values


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"A=\xe4")
    for name, reason in {"none": "No such file", "latin": "UTF-8", "": "directory"}.items():
        with pytest.raises(SettingsError, match=reason):
            read_env_file(tmp_path / name)
    (tmp_path / "good").write_text("A=1")
    assert read_env_file(tmp_path / "good") == {"A": "1"}


def test_the_real_environment_wins_and_so_does_the_later_file() -> None:
    merged = merge([{"A": "1", "B": "1", "C": "1"}, {"B": "2", "C": "2"}], {"C": "3"})
    assert merged == {"A": "1", "B": "2", "C": "3"}


def test_the_form_that_wins_takes_the_place_of_the_other() -> None:
    assert merge([{"K": "1", "T_FILE": "/t"}], {"K_FILE": "/k", "T": "2"}) == {"K_FILE": "/k", "T": "2"}
    assert merge([{"K": "1", "K_FILE": "/k"}], {}) == {"K": "1", "K_FILE": "/k"}, (
        "a contradiction in one file stays one"
    )


@given(st.lists(st.dictionaries(names, st.text()), max_size=3), st.dictionaries(names, st.text()))
def test_merging_never_loses_the_real_environment(files: list[dict[str, str]], environ: dict[str, str]) -> None:
    merged = merge(files, environ)
    assert environ.items() <= merged.items()
    assert merged.keys() <= environ.keys() | {name for file in files for name in file}


def faults(text: str, *more: str, environ: dict[str, str] | None = None) -> set[str]:
    files = [parse_env_file(part, f"{number}.env") for number, part in enumerate((text, *more), 1)]
    return {fault.variable for fault in faults_of(files, merge((file.values for file in files), environ or {}))}


def test_a_bad_line_hides_no_other_fault_and_makes_up_none() -> None:
    text = "FER_SINKS=a\nFER_SINK__A__TYPE=http\nFER_SINK__A__URL: https://a.example/\nFER_LOG__LEVEL=loud\nFER_LISTN=x"
    assert faults(text) == {"1.env line 3", "FER_LOG__LEVEL", "FER_LISTN"}
    assert faults(text, "export FER_SINK__A__BEARER_TOKEN='a b") == faults(text) | {"2.env line 1"}
    assert faults("FER_SINKS 'a'\nFER_SINK__A__TYPE=http") == {"1.env line 1"}
    assert faults(text.replace("URL:", "URL=")) == set(), (
        "without a bad line there is nothing to add to what load() says"
    )


def test_a_variable_that_is_set_elsewhere_too_is_judged_by_that() -> None:
    text = "FER_LOG__LEVEL 'info'"
    assert faults(text, environ={"FER_LOG__LEVEL": "loud"}) == {"1.env line 1", "FER_LOG__LEVEL"}


def test_of_a_file_that_is_missing_only_that_is_said(tmp_path: Path) -> None:
    files = [scan_env_file(tmp_path / "none"), parse_env_file("FER_SINKS=a\nnonsense", "b.env")]
    found = faults_of(files, merge((file.values for file in files), {}))
    assert [fault.variable for fault in found] == ["--env-file", "b.env line 2"]
