"""Whatever the environment holds: settings or faults, never another error, never a secret."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.settings import Settings, SettingsError, load
from router.settings.files import ValueFileError
from router.settings.names import leaves
from sinks.http.settings import HttpSettings


def _variables() -> list[str]:
    known = [leaf.variable for leaf in leaves(Settings, "FER", frozenset({"apps", "sinks"}))]
    known += [leaf.variable for leaf in leaves(HttpSettings, "FER_SINK__A")]
    known += ["FER_APPS", "FER_SINKS", "FER_APP__ENCRYPT_KEY", "FER_APP__A__ENCRYPT_KEY", "FER_APP__A__APP_ID", "FER_X"]
    return known + [name + "_FILE" for name in known]


words = st.sampled_from(
    ["", "a", "a,b", "http", "memory", "file", "1", "-1", "10m", "64MiB", "true", ":80", "http://x/"]
)
environments = st.dictionaries(st.sampled_from(_variables()) | st.text().map("FER_".__add__), words | st.text())


@given(environments, st.dictionaries(words, st.text()))
def test_any_environment_gives_settings_or_faults_and_no_other_error(
    environ: dict[str, str], files: dict[str, str]
) -> None:
    def read(path: str) -> str:
        if path not in files:
            raise ValueFileError("there is no file")
        return files[path]

    try:
        settings = load(environ, read)
    except SettingsError as error:
        found = error.faults
    else:
        assert settings.sinks
        assert settings.apps
        return
    assert found
    assert all(fault.variable.startswith("FER_") and fault.problem for fault in found)
    assert "pydantic" not in str(found)


SECRET = "s3cr3t-7f1a"


@given(
    st.fixed_dictionaries(
        {
            name: st.just(SECRET) | st.text(alphabet=" \n:,x", max_size=3).map(lambda tail: tail + SECRET + tail)
            for name in (
                "FER_APP__ENCRYPT_KEY",
                "FER_ADMIN__TOKEN",
                "FER_SINK__A__URL",
                "FER_SINK__A__BEARER_TOKEN",
                "FER_SINK__A__HEADERS",
                "FER_SINK__A__BASIC_PASSWORD",
                "FER_SINK__A__SIGNING_SECRETS",
                "FER_SINK__A__PROXY",
            )
        },
        optional={
            "FER_LOG__LEVEL": st.just("x"),
            "FER_SINK__A__CONCURRENCY": st.just("many"),
            "FER_APP__A__APP_ID": words,
        },
    )
)
def test_no_fault_quotes_a_secret(secrets: dict[str, Any]) -> None:
    with pytest.raises(SettingsError) as caught:
        load({"FER_SINKS": "a", "FER_SINK__A__TYPE": "http", **secrets})
    assert SECRET not in str(caught.value)
    assert SECRET not in repr(caught.value)
