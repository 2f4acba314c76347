from hypothesis import given
from hypothesis import strategies as st

from router.settings import load
from router.settings.describe import describe, keys_of

SECRET = "s3cr3t7f1a"
HTTP = {"FER_SINKS": "iam", "FER_SINK__IAM__TYPE": "http", "FER_SINK__IAM__URL": "https://iam.example/"}


def values(environ: dict[str, str]) -> dict[str, str]:
    return {row.variable: row.value for row in describe(load(environ))}


def test_secrets_are_only_said_to_be_set() -> None:
    shown = values(
        {**HTTP, "FER_APP__ENCRYPT_KEY": "a\nb", "FER_APP__VERIFICATION_TOKEN": "t", "FER_ADMIN__TOKEN": "x"}
    )
    assert shown["FER_APP__ENCRYPT_KEY"] == "set (2 keys)"
    assert shown["FER_APP__VERIFICATION_TOKEN"] == "set (1 token)"
    assert shown["FER_ADMIN__TOKEN"] == "set"
    assert shown["FER_SINK__IAM__BEARER_TOKEN"] == "not set"
    assert shown["FER_SINK__IAM__URL"] == "set"


def test_plain_values_as_they_would_be_written() -> None:
    shown = values({**HTTP, "FER_SINK__IAM__EVENTS": "a,!b", "FER_JOURNAL__RETENTION_SECONDS": "400d"})
    assert shown["FER_SINK__IAM__EVENTS"] == "a,!b"
    assert shown["FER_SINK__IAM__RETRY__MAX_ATTEMPTS"] == "16"
    assert shown["FER_SINK__IAM__TLS_VERIFY"] == "true"
    assert shown["FER_INGRESS__BUDGET_SECONDS"] == "2.3"
    assert shown["FER_JOURNAL__RETENTION_SECONDS"] == "34560000"
    assert shown["FER_TLS__CERT_FILE"] == "not set"


def test_defaults_are_marked() -> None:
    rows = {row.variable: row.default for row in describe(load({**HTTP, "FER_LOG__LEVEL": "debug"}))}
    assert not rows["FER_LOG__LEVEL"]
    assert rows["FER_LOG__FORMAT"]
    assert not rows["FER_SINK__IAM__TYPE"]


def test_password_in_a_plain_url_is_masked() -> None:
    shown = values({"FER_SINKS": "m", "FER_SINK__M__TYPE": "memory", "FER_SINK__M__EVENTS": "a,x://user:s3cr3t@host/"})
    assert shown["FER_SINK__M__EVENTS"] == "a,x://***@host/"


def test_keys_in_words() -> None:
    apps = load({**HTTP, "FER_APP__ENCRYPT_KEY": "a"}).apps
    assert keys_of(apps[""]) == ("set (1 key)", "not set")


@given(st.text("abc\n ", max_size=4))
def test_no_secret_is_shown(noise: str) -> None:
    secret = noise.strip("\n ") + SECRET
    settings = load(
        {
            **HTTP,
            "FER_APP__ENCRYPT_KEY": secret,
            "FER_ADMIN__TOKEN": secret,
            "FER_SINK__IAM__URL": f"https://iam.example/{SECRET}",
            "FER_SINK__IAM__HEADERS": f"X-Key: {SECRET}",
            "FER_SINK__IAM__PROXY": f"http://u:{SECRET}@p.example:1",
        }
    )
    assert SECRET not in str(describe(settings))
    assert SECRET not in repr(settings)
    assert SECRET not in str(settings)
