"""What is pushed, with its id and type."""

import orjson
from hypothesis import given
from hypothesis import strategies as st

from router.feishu.samples import sample
from router.simulator.pushes import Push


def test_both_schemas_lose_their_token_and_get_another() -> None:
    v2, v1 = sample("corehr.department.updated_v2"), sample("approval_instance")
    v2["header"]["token"] = v1["token"] = "a token"
    new, old = Push.of(v2), Push.of(v1)
    assert (new.id, new.type) == (v2["header"]["event_id"], "corehr.department.updated_v2")
    assert (old.id, old.type) == (v1["uuid"], "approval_instance")
    assert orjson.loads(new.body)["header"]["token"] == orjson.loads(old.body)["token"] == ""
    assert new.document("mine")["header"]["token"] == old.document("mine")["token"] == "mine"
    assert v2["header"]["token"] == "a token", "changed in place"
    assert new.document("")["event"] == v2["event"]


def test_numbers_stay_as_they_are() -> None:
    body = b'{"schema":"2.0","header":{"token":"t"},"event":{"n":123456789012345678901234567890,"f":1.10,"g":1E5}}'
    assert orjson.dumps(Push("", "", body).document("t")) == body


def test_what_is_no_event_can_be_pushed_all_the_same() -> None:
    assert Push.of({"hello": 1})[:2] == ("", "")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(document=st.dictionaries(st.sampled_from(["header", "event", "uuid", "type", "token"]) | st.text(), JSON))
def test_whatever_object_it_is(document: dict[str, object]) -> None:
    push = Push.of(document)
    assert isinstance(push.id, str)
    assert isinstance(push.type, str)
    assert push.document("t").keys() >= document.keys()
