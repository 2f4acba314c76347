"""The catalogue: one name each, labels that can't grow without end, and no word that would carry a secret."""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

from router.telemetry import facts
from router.telemetry.facts import Fact

FACTS = [fact for fact in vars(facts).values() if isinstance(fact, Fact)]
BOUNDED = {
    "app",
    "sink",
    "reason",
    "status",
    "state",
    "holder",
    "worker",
    "type",
    "library",
    "place",
    "code",
    "verdict",
}
"""Names from the settings, short words and places from the code, HTTP statuses; the type of events that nobody wants."""
ROOT = Path(__file__).parents[2]


def test_names_and_metrics_are_unique_and_well_formed() -> None:
    names = Counter(fact.name for fact in FACTS)
    counters = Counter(fact.counter for fact in FACTS if fact.counter)
    assert max(names.values()) == 1, names
    assert max(counters.values()) == 1, counters
    for name in [*names, *counters]:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", name)
        assert not name.startswith("fer_")
        assert not name.endswith("_total")


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.name)
def test_each_is_seen_somewhere_and_labelled_with_bounded_values_only(fact: Fact) -> None:
    assert fact.level is not None or fact.counter is not None
    assert set(fact.labels) <= BOUNDED
    assert fact.help.endswith(".")
    assert fact.counter is not None or not fact.labels or fact.every_seconds


def _emits() -> list[tuple[str, str, set[str]]]:
    """Where, which fact, with which fields."""
    found = []
    for file in [*ROOT.glob("router/**/*.py"), *ROOT.glob("sinks/**/*.py")]:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "emit":
                name = ast.unparse(node.args[0]).rpartition(".")[2] if node.args else ""
                found.append((f"{file.name}:{node.lineno}", name, {kw.arg or "**" for kw in node.keywords}))
    return found


def test_every_fact_is_emitted_with_its_labels_and_no_field_is_a_secret() -> None:
    emits = _emits()
    by_name = {name: fact for name, fact in vars(facts).items() if isinstance(fact, Fact)}
    source = "".join(file.read_text() for file in [*ROOT.glob("router/**/*.py"), *ROOT.glob("sinks/**/*.py")])
    assert {name for name in by_name if f"facts.{name}" not in source} == set(), "declared, and never emitted"
    for where, name, fields in emits:
        if name.isupper() and "**" not in fields:
            assert set(by_name[name].labels) <= fields, f"{where}: {name} needs its labels"
        secret = re.compile(r"token|secret|key$|password|body|envelope|^data$|json|header|authorization")
        assert not [field for field in fields if secret.search(field)], f"{where}: content or a secret"
