from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.feishu.catalogue import known, matches_any, subject, subject_paths, types
from router.feishu.corehr_fields import COREHR_FIELDS
from router.feishu.samples import sample


def test_the_catalogue() -> None:
    assert len(types()) >= 239
    assert types() == sorted(types())
    assert known("im.message.receive_v1")
    assert not known("im.message.receive_v9")
    assert len(COREHR_FIELDS) == 73


@pytest.mark.parametrize(
    ("pattern", "found"), [("*", True), ("im.message.receive_v[1]", True), ("im.mesage.*", False), ("IM.*", False)]
)
def test_patterns_that_match_a_known_type(pattern: str, *, found: bool) -> None:
    assert matches_any(pattern) is found


@pytest.mark.parametrize("type_", sorted(COREHR_FIELDS))
def test_every_corehr_event_has_a_subject(type_: str) -> None:
    assert known(type_)
    for (name,) in subject_paths(type_):
        assert name in COREHR_FIELDS[type_].replace("#", "").split()
    assert subject(type_, sample(type_)["event"])


@pytest.mark.parametrize(
    ("type_", "event", "expected"),
    [
        ("corehr.employee.domain_event_v2", {"employment_id": "1", "event_type": 2}, "1"),
        ("corehr.job_change.status_updated_v2", {"employment_id": "1", "job_change_id": "2"}, "1"),
        ("corehr.job_change.status_updated_v2", {"job_change_id": "2"}, "2"),
        ("corehr.process.approver.updated_v2", {"process_id": "1", "approver_id": "2"}, "1"),
        ("corehr.approval_groups.updated_v2", {"process_id": "1", "approval_group_id": "2"}, "2"),
        ("corehr.department.updated_v2", {"department_id": "1"}, "1"),
        ("corehr.process_comment_info.updated_v2", {"process_id": 7043711774159341101}, "7043711774159341101"),
        ("corehr.org_role_authorization.updated_v1", {"role_id": "r"}, "r"),
        ("corehr.common_data.meta_data.updated_v1", {"api_name": "a"}, "a"),
        ("corehr.common_data.id.user_mapping_changed_v1", {"corehr_id": "c"}, "c"),
        ("contact.user.updated_v3", {"object": {"open_id": "ou", "user_id": "u"}}, "ou"),
        ("contact.user.updated_v3", {"object": {"user_id": "u"}}, "u"),
        ("contact.department.created_v3", {"object": {"department_id": "d"}}, "d"),
        ("im.message.receive_v1", {"message": {"chat_id": "oc"}}, "oc"),
        ("im.chat.updated_v1", {"chat_id": "oc"}, "oc"),
        ("approval_instance", {"instance_code": "i"}, "i"),
        ("corehr.department.updated_v2", {"department_id": ""}, None),
        ("corehr.department.updated_v2", {"department_id": True}, None),
        ("corehr.department.updated_v2", {"department_id": 1.5}, None),
        ("corehr.department.updated_v2", {"department_id": "a\nb"}, None),
        ("corehr.department.updated_v2", {"department_id": "x" * 257}, None),
        ("im.message.receive_v1", {"message": "text"}, None),
        ("some.new.type_v1", {"department_id": "1"}, None),
    ],
)
def test_subject(type_: str, event: Any, expected: str | None) -> None:
    assert subject(type_, event) == expected


@given(
    st.sampled_from(types()),
    st.recursive(
        st.none() | st.text() | st.integers(),
        lambda x: st.lists(x) | st.dictionaries(st.sampled_from(["object", "chat_id", "message"]), x),
    ),
)
def test_any_event(type_: str, event: Any) -> None:
    assert subject(type_, event) is None or isinstance(subject(type_, event), str)


def test_an_unknown_type_has_the_subject_that_its_name_tells() -> None:
    event = {"department_id": "d1", "id": "x", "newthing_id": 7}
    assert subject("corehr.department.moved_v9", event) == "d1"
    assert subject("corehr.department.newthing.moved_v9", event) == "7"
    assert subject("corehr.company.moved_v9", event) is None
    assert subject("department", event) is None
    assert subject("department.moved_v9", event) is None
