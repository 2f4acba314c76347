"""The operator's page and the alerts know exactly what the router shows."""

import re
from typing import Any

import pytest
import yaml

from router.telemetry import facts
from router.telemetry.facts import Fact
from tests.deploy.manifests import DEPLOY, ROOT

PAGE = (ROOT / "docs" / "operations.md").read_text()
FACTS = {fact for fact in vars(facts).values() if isinstance(fact, Fact)}
COUNTERS = {f"fer_{fact.counter}_total": fact.labels for fact in FACTS if fact.counter}
HISTOGRAM = "fer_durable_seconds"


def rules() -> list[Any]:
    (group,) = yaml.safe_load((DEPLOY / "alerts.yaml").read_text())["groups"]
    return list(group["rules"])


def gauges() -> set[str]:
    """What the composition root registers: telemetry.gauge("name", …)."""
    source = "\n".join(path.read_text() for path in (ROOT / "router").rglob("*.py"))
    return {f"fer_{name}" for name in re.findall(r"\bgauge\(\s*\"([a-z_]+)\"", source)}


def anchors() -> set[str]:
    """GitHub's anchors of the page's headings."""
    headings = re.findall(r"^#+ (.*)$", PAGE, re.MULTILINE)
    return {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_counter_has_its_row_with_its_labels() -> None:
    rows = dict(re.findall(r"^\| `(fer_\w+_total)` \| ([^|]*?) ?\|", PAGE, re.MULTILINE))
    assert {name: tuple(filter(None, labels.split(", "))) for name, labels in rows.items()} == COUNTERS


def test_every_gauge_has_its_row() -> None:
    rows = re.findall(r"^\| (`fer_[^|]*`) \|", PAGE, re.MULTILINE)
    shown = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert shown - COUNTERS.keys() == gauges()


def test_log_lines_that_the_page_names_exist() -> None:
    named = set(re.findall(r"`([a-z]+_[a-z_]+)` in the log|log(?:'s| says)? `([a-z_]+)`", PAGE))
    lines = {name for pair in named for name in pair if name}
    assert lines
    assert lines <= {fact.name for fact in FACTS if fact.level}


def test_links_within_the_page_lead_somewhere() -> None:
    links = set(re.findall(r"\]\(#([^)]*)\)", PAGE))
    assert links
    assert links <= anchors()


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alert_is_about_what_there_is(rule: dict[str, Any]) -> None:
    names = set(re.findall(r"\bfer_\w+", rule["expr"]))
    assert names
    assert names <= {*COUNTERS, *gauges(), f"{HISTOGRAM}_bucket", f"{HISTOGRAM}_created"}


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alert_says_how_bad_it_is_and_where_to_read_on(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"critical", "warning"}
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert (ROOT / page) == ROOT / "docs" / "operations.md"
    assert anchor in anchors()


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alert_shows_labels_that_it_has(rule: dict[str, Any]) -> None:
    used = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
    kept = {label for group in re.findall(r"by \(([^)]*)\)", rule["expr"]) for label in group.split(", ")}
    assert used <= (kept or {"sink"})
