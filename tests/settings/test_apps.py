"""The two roads that an app's events can take, and what each needs."""

import pytest

from router.settings import Settings, SettingsError, load

MEMORY = {"FER_SINKS": "m", "FER_SINK__M__TYPE": "memory"}
HR = {
    "FER_APPS": "hr",
    "FER_APP__HR__MODE": "long_connection",
    "FER_APP__HR__APP_ID": "cli_1",
    "FER_APP__HR__APP_SECRET": "s3cret",
}


def good(environ: dict[str, str]) -> Settings:
    return load({**MEMORY, **environ})


def faults(environ: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        good(environ)
    return [str(fault) for fault in caught.value.faults]


def test_webhook_is_the_default() -> None:
    (app,) = good({}).apps.values()
    assert (app.mode, app.has_webhook, app.domain) == ("webhook", True, "https://open.feishu.cn")


def test_a_long_connection_needs_id_and_secret_and_nothing_else() -> None:
    app = good(HR).apps["hr"]
    assert (app.mode, app.has_webhook, app.connections) == ("long_connection", False, 2)
    assert app.app_secret is not None
    assert app.app_secret.get_secret_value() == "s3cret"
    assert "s3cret" not in repr(app)


def test_the_short_form() -> None:
    short = {name.replace("__HR__", "__"): value for name, value in HR.items() if name != "FER_APPS"}
    assert good(short).apps[""].mode == "long_connection"


def test_a_key_or_a_token_keeps_the_path() -> None:
    assert good(HR | {"FER_APP__HR__ENCRYPT_KEY": "k"}).apps["hr"].has_webhook
    assert good(HR | {"FER_APP__HR__VERIFICATION_TOKEN": "t"}).apps["hr"].has_webhook


def test_beyond_loopback_it_needs_neither_key_nor_token() -> None:
    assert good(HR | {"FER_LISTEN": "0.0.0.0:8080"}).apps["hr"].mode == "long_connection"


def test_everything_that_is_missing_is_told_at_once() -> None:
    told = faults({"FER_APPS": "hr", "FER_APP__HR__MODE": "long_connection", "FER_APP__HR__CONNECTIONS": "51"})
    assert [fault.partition(":")[0] for fault in told] == [
        "FER_APP__HR__APP_ID",
        "FER_APP__HR__APP_SECRET",
        "FER_APP__HR__CONNECTIONS",
    ]
    assert "a long connection needs it" in told[0]


def test_a_secret_whose_file_is_gone_is_not_missing_too() -> None:
    del (environ := dict(HR))["FER_APP__HR__APP_SECRET"]
    told = faults(environ | {"FER_APP__HR__APP_SECRET_FILE": "/nowhere"})
    assert told == ["FER_APP__HR__APP_SECRET_FILE: there is no file /nowhere"]


@pytest.mark.parametrize(
    ("field", "value"),
    [("APP_SECRET", "s3cret"), ("DOMAIN", "lark"), ("CONNECTIONS", "2"), ("PROXY", "http://u:s3cret@proxy:1")],
)
def test_what_makes_no_sense_for_a_webhook(field: str, value: str) -> None:
    (told,) = faults({f"FER_APP__{field}": value})
    assert told.startswith(f"FER_APP__{field}: is only for an app whose events come over long connections")
    assert "set FER_APP__MODE=long_connection, or unset it" in told
    assert "s3cret" not in told


def test_one_feishu_app_is_named_once() -> None:
    it = {name.replace("__HR__", "__IT__"): value for name, value in HR.items()} | {"FER_APPS": "hr,it"}
    (told,) = faults(HR | it)
    assert told.startswith("FER_APP__IT__APP_ID: is the same as FER_APP__HR__APP_ID")
    assert "raise FER_APP__HR__CONNECTIONS" in told


def test_an_unknown_mode_is_the_only_fault() -> None:
    (told,) = faults({"FER_APP__MODE": "long_conection", "FER_APP__APP_SECRET": "s3cret"})
    assert told.startswith("FER_APP__MODE: must be one of webhook or long_connection")
    assert "did you mean long_connection?" in told


@pytest.mark.parametrize(
    ("field", "value"), [("DOMAIN", "https://u:s3cret@open.feishu.cn"), ("PROXY", "socks://u:s3cret@x")]
)
def test_an_address_that_cannot_be_used_is_not_repeated(field: str, value: str) -> None:
    (told,) = faults(HR | {f"FER_APP__HR__{field}": value})
    assert told.startswith(f"FER_APP__HR__{field}: must be")
    assert "s3cret" not in told
