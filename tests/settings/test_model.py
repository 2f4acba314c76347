"""The defaults are good, and the classes refuse what can't work, with all that is wrong at once."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from router.settings.model import AdminSettings, DrainSettings, IngressSettings, JournalSettings, Settings, TlsSettings


def test_defaults_are_valid_and_frozen() -> None:
    settings = Settings()
    assert (settings.listen, settings.admin.listen) == ("127.0.0.1:8080", "127.0.0.1:9464")
    with pytest.raises(ValidationError, match="frozen"):
        settings.listen = ":80"


def test_defaults_keep_the_promises() -> None:
    settings = Settings()
    assert settings.ingress.budget_seconds == 2.3
    assert settings.journal.dedupe_seconds >= 86400
    assert settings.drain.accept_seconds + settings.drain.lanes_seconds < 30


@pytest.mark.parametrize(("text", "listen"), [("off", ""), ("OFF", ""), ("", ""), (":1", ":1"), ("[::1]:2", "[::1]:2")])
def test_admin_address_or_none(text: str, listen: str) -> None:
    assert AdminSettings(listen=text).listen == listen


def test_addresses_are_checked() -> None:
    for wrong in ("8080", "localhost", "::1:80"):
        with pytest.raises(ValidationError, match="expected address:port"):
            Settings(listen=wrong)
        with pytest.raises(ValidationError, match="expected address:port"):
            AdminSettings(listen=wrong)


def test_networks_of_proxies() -> None:
    given = IngressSettings.model_validate({"trusted_proxies": "10.1.2.3/8, 192.0.2.7\n::1"})
    assert given.trusted_proxies == ["10.0.0.0/8", "192.0.2.7/32", "::1/128"]
    with pytest.raises(ValidationError, match=r"networks such as 10\.0\.0\.0/8"):
        IngressSettings(trusted_proxies=["lb.example"])


def test_a_body_must_fit_into_what_may_be_in_flight() -> None:
    with pytest.raises(ValidationError, match="MAX_BODY_BYTES"):
        IngressSettings(max_body_bytes=4 << 20, max_in_flight_bytes=2 << 20)


def test_faults_of_one_field_do_not_hide_those_of_another() -> None:
    with pytest.raises(ValidationError) as caught:
        IngressSettings.model_validate({"max_body_bytes": "x", "budget_seconds": "9", "max_depth": "1"})
    assert {error["loc"][0] for error in caught.value.errors()} == {"max_body_bytes", "budget_seconds", "max_depth"}


def test_certificate_and_key_belong_together() -> None:
    for alone in ({"cert_file": Path("c")}, {"key_file": Path("k")}):
        with pytest.raises(ValidationError, match="both or neither"):
            TlsSettings.model_validate(alone)
    assert TlsSettings(cert_file=Path("c"), key_file=Path("k")).key_file == Path("k")


def test_drain_must_end_before_the_grace_period_does() -> None:
    with pytest.raises(ValidationError, match="30 s"):
        DrainSettings(accept_seconds=10, lanes_seconds=20, grace_seconds=30)
    assert DrainSettings(accept_seconds=10, lanes_seconds=20, grace_seconds=31).grace_seconds == 31


def test_ids_are_remembered_a_day_at_least() -> None:
    with pytest.raises(ValidationError, match="86400"):
        JournalSettings(dedupe_seconds=3600)
