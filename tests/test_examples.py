"""The example settings are good as they stand, once the files that they name are there."""

from pathlib import Path

import pytest

from router.commands.overview import overview
from router.settings import Settings, load
from router.settings.envfile import read_env_file
from router.settings.model import AppSettings, JournalSettings

FOLDER = Path(__file__).parents[1] / "examples"
MOUNT = "/run/secrets/"


def settings_of(name: str, tmp_path: Path) -> Settings:
    environ = read_env_file(FOLDER / name)
    for variable, value in environ.items():
        if value.startswith(MOUNT):
            path = tmp_path / value.removeprefix(MOUNT)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("a-secret-of-twenty-four-bytes-or-more\n")
            environ[variable] = str(path)
    return load(environ)


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.glob("*.env")))
def test_example_has_no_fault_and_nothing_to_note(name: str, tmp_path: Path) -> None:
    shown = overview(settings_of(name, tmp_path))
    assert not [note for note in shown.warnings if "matches no event type" in note or "no sink wants" in note]


def test_local_example_is_what_runs_without_any_settings(tmp_path: Path) -> None:
    assert settings_of("local.env", tmp_path) == load({})


def test_kafka_example(tmp_path: Path) -> None:
    settings = settings_of("kafka.env", tmp_path)
    assert {name: sink.type for name, sink in settings.sinks.items()} == {"bus": "kafka", "archive": "file"}
    assert settings.journal == JournalSettings(max_bytes=20 << 30)


def test_http_example_sends_people_to_one_and_everything_to_the_other(tmp_path: Path) -> None:
    routes = {route.type: list(route.sinks) for route in overview(settings_of("http.env", tmp_path)).routes}
    assert routes["corehr.department.updated_v2"] == ["data", "bot"]
    assert routes["contact.user.updated_v3"] == ["data"]


def test_apps_example_has_a_path_for_each(tmp_path: Path) -> None:
    settings = settings_of("apps.env", tmp_path)
    assert isinstance(settings.apps["hr"], AppSettings)
    assert [app.path for app in overview(settings).apps] == ["/webhook/event/hr", "/webhook/event/it"]


def test_long_connection_example_needs_no_way_in(tmp_path: Path) -> None:
    settings = settings_of("long-connection.env", tmp_path)
    assert [(app.path, app.long_connection) for app in overview(settings).apps] == [("", "2 to https://open.feishu.cn")]


def test_programs_example_has_something_for_each_team(tmp_path: Path) -> None:
    shown = overview(settings_of("programs.env", tmp_path))
    assert dict(shown.place)["programs"] == "https://events.example"
    routes = {route.type: list(route.sinks) for route in shown.routes}
    assert routes["corehr.employee.domain_event_v2"] == ["payroll", "onboarding", "laptop"]
    assert routes["corehr.department.updated_v2"] == ["onboarding", "laptop"]
    assert not shown.warnings
