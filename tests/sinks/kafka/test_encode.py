import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.kafka.encode import PLACEHOLDERS, binary, legal_topic, structured, topic_of
from tests.sinks.kafka.support import event

LEGAL = re.compile(r"[a-zA-Z0-9._-]{1,249}")


@given(st.text())
def test_any_name_becomes_one_that_kafka_takes(raw: str) -> None:
    name = legal_topic(raw)
    assert LEGAL.fullmatch(name)
    assert name not in {".", ".."}
    assert legal_topic(name) == name, "a legal name is left alone"


@given(st.from_regex(LEGAL, fullmatch=True).filter(lambda name: name not in {".", ".."}))
def test_a_legal_name_is_left_alone(name: str) -> None:
    assert legal_topic(name) == name


@given(st.lists(st.text(alphabet="ab/:é.", max_size=4), min_size=2, max_size=2, unique=True))
def test_different_names_stay_different(pair: list[str]) -> None:
    assert legal_topic(pair[0]) != legal_topic(pair[1])


def test_binary_data_is_passed_byte_for_byte() -> None:
    sent = event("t", data={"n": 10**40, "pi": "3.10"})
    spaced = sent._replace(json=sent.json.replace(b'"pi": "3.10"', b'"pi" : 3.100'))
    assert binary(spaced, "k").value == b'{"n": 1' + b"0" * 40 + b', "pi" : 3.100}'
    assert binary(sent, "k").value in sent.json


@pytest.mark.parametrize("raw", ["", ".", "..", "a" * 250])
def test_what_kafka_forbids_gets_a_hash(raw: str) -> None:
    assert re.search(r"-[0-9a-f]{12}$", legal_topic(raw))


def test_two_long_names_that_differ_at_the_end_are_two_topics() -> None:
    assert legal_topic("a" * 300 + "x") != legal_topic("a" * 300 + "y")


@given(st.text(max_size=300), st.sampled_from([f"{{{name}}}" for name in PLACEHOLDERS]))
def test_any_template_and_type_give_a_legal_topic(type_: str, placeholder: str) -> None:
    assert LEGAL.fullmatch(topic_of(f"feishu.{placeholder}")(event("t")._replace(type=type_, source=type_)))


def test_placeholders_are_filled() -> None:
    topic = topic_of("x.{app_id}-{tenant_key}.{event_type}.y")
    assert topic(event("corehr.department.updated_v2")) == "x.cli_a-tenant1.corehr.department.updated_v2.y"
    assert topic(event("t", appid="", tenantkey="")) == "x.unknown-unknown.t.y"


def test_a_template_without_placeholders_is_one_topic() -> None:
    assert topic_of("feishu-all")(event("a")) == topic_of("feishu-all")(event("b")) == "feishu-all"


@given(
    st.text(alphabet=st.characters(exclude_categories=["Cs"])),
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**64 - 1)
        | st.text(alphabet=st.characters(exclude_categories=["Cs"])),
        lambda children: (
            st.lists(children, max_size=3)
            | st.dictionaries(st.text(alphabet=st.characters(exclude_categories=["Cs"])), children, max_size=3)
        ),
        max_leaves=8,
    ),
)
def test_the_size_is_never_less_than_what_the_client_writes(subject: str, data: object) -> None:
    from aiokafka.record.default_records import DefaultRecordBatchBuilder

    for encode in (structured, binary):
        record = encode(event("t", subject, data=data), subject)
        builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, 1 << 30)
        empty = builder.size()
        builder.append(0, 0, key=record.key, value=record.value, headers=record.headers)
        assert builder.size() - empty <= record.size
