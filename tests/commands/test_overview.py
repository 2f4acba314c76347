import pytest

from router.commands.overview import overview, routes_of, webhook_path
from router.settings import load

BASE = {"FER_SINKS": "a,b", "FER_SINK__A__TYPE": "memory", "FER_SINK__B__TYPE": "memory"}


def test_routes_show_the_sample_types_and_all_that_settings_spell_out() -> None:
    settings = load(
        {**BASE, "FER_SINK__A__EVENTS": "corehr.*", "FER_SINK__B__EVENTS": "im.message.receive_v1,!x.y,im.*"}
    )
    routes = {route.type: list(route.sinks) for route in routes_of(settings)}
    assert routes["corehr.department.updated_v2"] == ["a"]
    assert routes["im.message.receive_v1"] == ["b"]
    assert routes["x.y"] == []
    assert len(routes) == 7


@pytest.mark.parametrize(("app", "path"), [("", "/webhook/event"), ("hr", "/webhook/event/hr")])
def test_webhook_path(app: str, path: str) -> None:
    assert webhook_path(app) == path


def test_running_without_keys_is_noted() -> None:
    assert any("without a key" in note for note in overview(load(BASE)).warnings)
    assert not overview(load({**BASE, "FER_APP__ENCRYPT_KEY": "k"})).warnings


def test_place_says_how_long_and_how_much() -> None:
    place = dict(overview(load({**BASE, "FER_JOURNAL__MAX_BYTES": "1536MiB", "FER_ADMIN__LISTEN": "off"})).place)
    assert "kept 7 d, at most 1.5 GiB; ids remembered 2 d" in place["journal"]
    assert place["admin"] == "off"


def test_exclusions_that_match_known_types_are_not_noted() -> None:
    settings = load({**BASE, "FER_APP__ENCRYPT_KEY": "k", "FER_SINK__A__EVENTS": "*,!corehr.department.*"})
    assert not overview(settings).warnings


def test_a_sink_of_dead_letters_is_shown_as_one_and_takes_no_ordinary_events() -> None:
    settings = load({**BASE, "FER_APP__ENCRYPT_KEY": "k", "FER_SINK__A__DEAD_LETTERS": "b"})
    shown = overview(settings)
    assert [row.events for row in shown.sinks] == ["*", "dead letters of a: *"]
    assert all(route.sinks == ["a"] for route in shown.routes)


def test_further_conditions_are_shown() -> None:
    further = {"FER_SINK__A__APPS": "cli_a1", "FER_SINK__A__TENANTS": "!t-2", "FER_SINK__A__SUBJECTS": "od-*,oc-*"}
    row = overview(load({**BASE, "FER_SINK__A__EVENTS": "corehr.*", **further})).sinks[0]
    assert row.events == "corehr.*, of apps cli_a1, of tenants !t-2, of subjects od-*,oc-*"


PROGRAMS = {
    "FER_APP__ENCRYPT_KEY": "k",
    "FER_SINKS": "payroll",
    "FER_SINK__PAYROLL__TYPE": "feishu_ws",
    "FER_SINK__PAYROLL__APP_ID": "cli_0123456789abcdef",
    "FER_SINK__PAYROLL__APP_SECRET": "secret-of-sixteen",
}


def test_programs_are_told_where_to_connect_and_what_is_risky() -> None:
    shown = overview(load(PROGRAMS))
    assert dict(shown.place)["programs"] == "http://127.0.0.1:8090"
    assert not shown.warnings
    [note] = overview(load({**PROGRAMS, "FER_WS__LISTEN": ":8090"})).warnings
    assert "in clear" in note
    assert not overview(load({**PROGRAMS, "FER_WS__LISTEN": ":8090", "FER_WS__PUBLIC_URL": "wss://a.example"})).warnings
    [note] = overview(load({**PROGRAMS, "FER_SINK__PAYROLL__APP_ID": "payroll"})).warnings
    assert "of sink payroll" in note
    assert "Node" in note
    assert "programs" not in dict(overview(load({})).place)


def test_a_port_for_programs_without_a_sink_of_theirs_is_noted() -> None:
    keyed = {"FER_APP__ENCRYPT_KEY": "k" * 16}
    assert not overview(load(keyed)).warnings
    [note] = overview(load({**keyed, "FER_WS__LISTEN": ":8090"})).warnings
    assert "no sink is of type feishu_ws" in note
