"""Whose id and secret are these?"""

from router.subscribers.groups import Group, Groups
from sinks.feishu_ws.pool import Pool

OLD, NEW, OTHER = "old-secret-of-sixteen", "new-secret-of-sixteen", "other-secret-of-sixteen"


def test_id_and_secret_belong_together() -> None:
    payroll, desk = Group("payroll", "cli_a", [OLD, NEW], Pool()), Group("desk", "cli_b", [OTHER], Pool())
    groups = Groups([payroll, desk])
    assert groups.all == [payroll, desk]
    assert groups.of("desk") is desk
    assert [groups.named(app_id) for app_id in ("cli_a", "cli_b", "cli_c", "")] == ["payroll", "desk", "", ""]
    assert groups.find("cli_a", OLD) is groups.find("cli_a", NEW) is payroll
    assert groups.find("cli_b", OTHER) is desk
    for app_id, secret in [
        ("cli_a", OTHER),
        ("cli_b", OLD),
        ("cli_c", OLD),
        ("", ""),
        ("cli_a", ""),
        ("cli_a", OLD[:-1]),
    ]:
        assert groups.find(app_id, secret) is None


def test_what_stands_in_for_an_unknown_id_opens_nothing() -> None:
    assert Groups([]).find("", "no program has this one") is None


def test_other_secrets_take_the_place_of_those_before() -> None:
    group = Group("payroll", "cli_a", [OLD], Pool())
    group.use([NEW])
    assert not group.opens(OLD)
    assert group.opens(NEW)
    group.use([])
    assert not group.opens("")


def test_shows_no_secret() -> None:
    assert OLD not in repr(vars(Group("payroll", "cli_a", [OLD], Pool())))
