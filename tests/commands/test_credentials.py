from pathlib import Path

import click
import pytest

from router.cli import cli
from router.commands.credentials import KEY, SECRET, secret_of, source_of
from router.settings import SettingsError
from router.settings.model import AppSettings

DEV, PAYROLL = "d" * 16, "p" * 16
ONE = {
    "FER_SINKS": "dev,files",
    "FER_SINK__DEV__TYPE": "feishu_ws",
    "FER_SINK__DEV__APP_ID": "cli_0123456789abcdef",
    "FER_SINK__DEV__APP_SECRET": f"{DEV}\n{'o' * 16}",
    "FER_SINK__FILES__TYPE": "stdout",
}
TWO = ONE | {
    "FER_SINKS": "dev,files,payroll",
    "FER_SINK__PAYROLL__TYPE": "feishu_ws",
    "FER_SINK__PAYROLL__APP_ID": "cli_fedcba9876543210",
    "FER_SINK__PAYROLL__APP_SECRET": PAYROLL,
}


def of(environ: dict[str, str], sink: str | None = None, domain: str | None = None) -> AppSettings:
    ctx = click.Context(cli)
    ctx.obj = environ
    return source_of(ctx, sink, domain, None, None)


def by_options(domain: str | None, app_id: str = "cli_a", file: Path | None = None) -> AppSettings:
    return source_of(click.Context(cli), None, domain, app_id, file)


def secret(source: AppSettings) -> str:
    assert source.app_secret is not None
    return source.app_secret.get_secret_value()


@pytest.mark.parametrize("environ", [ONE, TWO])
def test_a_sink_of_the_settings(environ: dict[str, str]) -> None:
    source = of(environ, "dev")
    assert (source.domain, source.app_id, secret(source)) == ("http://127.0.0.1:8090", "cli_0123456789abcdef", DEV)
    assert of(environ, "dev", "http://router.example:8090").domain == "http://router.example:8090"


def test_the_only_one_of_its_type_needs_no_name() -> None:
    assert of(ONE) == of(ONE, "dev")
    with pytest.raises(click.UsageError, match=r"say with --sink which one, .* there are: dev, payroll"):
        of(TWO)
    with pytest.raises(click.UsageError, match="the settings have no sink of type feishu_ws"):
        of({})


def test_what_is_no_such_sink() -> None:
    with pytest.raises(click.UsageError, match="there is no sink 'payrol'; did you mean payroll"):
        of(TWO, "payrol")
    with pytest.raises(click.UsageError, match="the sink files is not of type feishu_ws; there are: dev"):
        of(ONE, "files")


@pytest.mark.parametrize(
    ("environ", "domain"),
    [
        ({"FER_WS__LISTEN": ":7000"}, "http://127.0.0.1:7000"),
        ({"FER_WS__LISTEN": "[::]:7000"}, "http://[::1]:7000"),
        ({"FER_WS__LISTEN": "10.1.2.3:7000"}, "http://10.1.2.3:7000"),
        ({"FER_WS__PUBLIC_URL": "wss://events.example/feishu"}, "https://events.example/feishu"),
    ],
)
def test_the_address_is_where_programs_are_to_connect(environ: dict[str, str], domain: str) -> None:
    assert of(ONE | environ).domain == domain


def test_the_address_with_tls(tmp_path: Path) -> None:
    (tmp_path / "pem").write_text("a certificate and its key")
    environ = {f"FER_WS__TLS__{name}_FILE": str(tmp_path / "pem") for name in ("CERT", "KEY")}
    assert of(ONE | environ).domain == "https://127.0.0.1:8090"


def test_faults_of_the_settings_are_shown_as_everywhere() -> None:
    with pytest.raises(SettingsError):
        of(ONE | {"FER_SINK__DEV__APP_SECRET": "short"})


def test_options_that_exclude_each_other_or_go_together(tmp_path: Path) -> None:
    ctx = click.Context(cli)
    with pytest.raises(click.UsageError, match="--sink and --app-id exclude each other"):
        source_of(ctx, "dev", None, "cli_a", None)
    with pytest.raises(click.UsageError, match="--app-id needs --domain"):
        source_of(ctx, None, None, "cli_a", None)
    with pytest.raises(click.UsageError, match="--app-secret-file needs --app-id"):
        source_of(ctx, "dev", None, None, tmp_path / "secret")


def test_an_app_by_options(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(SECRET, " from-the-environment ")
    source = by_options("http://router.example:8090/")
    assert (source.domain, source.app_id, source.mode) == ("http://router.example:8090", "cli_a", "long_connection")
    assert secret(source) == "from-the-environment"
    file = tmp_path / "secret"
    file.write_text("from-the-file\n")
    source = by_options("feishu", file=file)
    assert source.domain == "https://open.feishu.cn"
    assert secret(source) == "from-the-file"


def test_without_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SECRET, raising=False)
    with pytest.raises(click.UsageError, match=f"set {SECRET}, or name its file with --app-secret-file"):
        by_options("http://router.example")


@pytest.mark.parametrize("domain", ["router.example", "ftp://router.example", "http://user:hidden@router.example", ""])
def test_a_domain_that_is_none(monkeypatch: pytest.MonkeyPatch, domain: str) -> None:
    monkeypatch.setenv(SECRET, "a-secret")
    with pytest.raises(click.UsageError, match="--domain must be feishu, lark, or an address") as caught:
        by_options(domain)
    assert "hidden" not in caught.value.message
    assert "a-secret" not in caught.value.message


def test_files_that_hold_no_secret(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    for name, words in (("nowhere", "there is no file"), ("empty", "is empty")):
        with pytest.raises(click.UsageError, match=words):
            secret_of(tmp_path / name, KEY)


def test_no_secret_at_all_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY, raising=False)
    assert secret_of(None, KEY) == ""
