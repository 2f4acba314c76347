from pathlib import Path

import click
import pytest

from router.commands.credentials import KEY, SECRET, secret_of, source_of


def test_an_app_by_options(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(SECRET, " from-the-environment ")
    source = source_of("http://router.example:8090/", "cli_a", None)
    assert (source.domain, source.app_id, source.mode) == ("http://router.example:8090", "cli_a", "long_connection")
    assert source.app_secret is not None
    assert source.app_secret.get_secret_value() == "from-the-environment"
    file = tmp_path / "secret"
    file.write_text("from-the-file\n")
    source = source_of("feishu", "cli_a", file)
    assert source.domain == "https://open.feishu.cn"
    assert source.app_secret is not None
    assert source.app_secret.get_secret_value() == "from-the-file"


def test_without_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SECRET, raising=False)
    with pytest.raises(click.UsageError, match=f"set {SECRET}, or name its file with --app-secret-file"):
        source_of("http://router.example", "cli_a", None)


@pytest.mark.parametrize("domain", ["router.example", "ftp://router.example", "http://user:hidden@router.example", ""])
def test_a_domain_that_is_none(monkeypatch: pytest.MonkeyPatch, domain: str) -> None:
    monkeypatch.setenv(SECRET, "a-secret")
    with pytest.raises(click.UsageError, match="--domain must be feishu, lark, or an address") as caught:
        source_of(domain, "cli_a", None)
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
