import re
from urllib.parse import unquote

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.envelope import Envelope
from sinks.http import encode
from tests.sinks.http.samples import document, envelope

texts = st.text(st.characters(exclude_categories=["Cs"]))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda children: st.lists(children, max_size=4) | st.dictionaries(texts, children, max_size=4),
    max_leaves=20,
)


def from_text(text: str) -> Envelope:
    return envelope()._replace(json=text.encode())


@given(texts, texts, texts)
def test_any_attribute_comes_through_a_header_unharmed(event_id: str, subject: str, header: str) -> None:
    sent = document(event_id, subject=subject, feishuheader=header)
    encoded = encode.binary(envelope(event_id, subject=subject, feishuheader=header))
    del sent["data"], sent["datacontenttype"]
    assert {name: unquote(value) for name, value in encoded.headers.items() if name != "Content-Type"} == {
        f"ce-{name}": value for name, value in sent.items()
    }
    for value in encoded.headers.values():
        assert re.fullmatch(r"[!-~]*", value)


def test_header_values_follow_the_http_binding() -> None:
    headers = encode.binary(envelope(subject='Euro € 😀 "q" 100% a/b?c=d&e')).headers
    assert headers["ce-subject"] == "Euro%20%E2%82%AC%20%F0%9F%98%80%20%22q%22%20100%25%20a/b?c=d&e"


def test_attributes_that_are_no_strings_have_their_canonical_form() -> None:
    headers = encode.binary(envelope(count=-7, flag=True, nothing=None)).headers
    assert (headers["ce-count"], headers["ce-flag"]) == ("-7", "true")
    assert "ce-nothing" not in headers


@pytest.mark.parametrize("name", ["Upper", "with-dash", "a\r\nb", "ä", "", "a b"])
def test_names_that_cannot_be_headers_are_an_error(name: str) -> None:
    with pytest.raises(ValueError, match="attribute name"):
        encode.binary(envelope(**{name: "x"}))


@pytest.mark.parametrize(
    ("given_type", "sent"),
    [
        ("application/json", "application/json"),
        ("text/plain; charset=utf-8", "text/plain; charset=utf-8"),
        ("text/plain\r\nEvil: 1", "application/json"),
        ("x", "application/json"),
        (None, "application/json"),
    ],
)
def test_the_content_type_is_the_datas(given_type: str | None, sent: str) -> None:
    for encoded in (
        encode.binary(envelope(datacontenttype=given_type)),
        encode.data(envelope(datacontenttype=given_type)),
    ):
        assert encoded.headers["Content-Type"] == sent


def test_numbers_of_any_length_are_unharmed() -> None:
    number = "9" * 6000
    assert encode.data(from_text(f'{{"data":{{"n":{number},"f":1.10}}}}')).body == f'{{"n":{number},"f":1.10}}'.encode()


@pytest.mark.parametrize("data", ['"text"', "null", "[1, 2]", "12", '{"a":"\\u4eba"}'])
def test_data_of_any_kind_is_cut_out_as_it_stands(data: str) -> None:
    event = from_text(f'{{"id":"e1", "data" : {data} , "type":"t"}}')
    assert encode.data(event).body == encode.binary(event).body == data.encode()


def test_a_batch_is_an_array_of_the_stored_events() -> None:
    events = [envelope(f"e{n}") for n in range(3)]
    encoded = encode.batch(events)
    assert orjson.loads(encoded.body) == [event.document() for event in events]
    assert encode.batch(events[:1]).body == b"[" + events[0].json + b"]"
