import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.envelope import Envelope
from tests.doubles.events import envelope

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=10,
)


def test_an_envelope_is_read_back_from_its_json() -> None:
    event = envelope(1)
    assert Envelope.from_json(event.json) == event._replace(created_ms=0)
    assert event.document()["data"]["n"] == 1


@given(st.binary() | json_values.map(orjson.dumps))
def test_any_bytes_give_an_envelope_or_a_value_error(body: bytes) -> None:
    try:
        read = Envelope.from_json(body)
    except ValueError:
        return
    assert read.json == body


@pytest.mark.parametrize("name", ["id", "source", "type", "partitionkey", "time", "recordedtime"])
def test_a_required_attribute_that_is_missing_is_named(name: str) -> None:
    document = envelope(1).document()
    del document[name]
    with pytest.raises(ValueError, match=name):
        Envelope.from_json(orjson.dumps(document))


def test_subject_app_and_tenant_may_be_absent() -> None:
    document = envelope(1).document()
    for name in ("subject", "appid", "tenantkey"):
        del document[name]
    read = Envelope.from_json(orjson.dumps(document))
    assert (read.subject, read.appid, read.tenantkey) == (None, "", "")
