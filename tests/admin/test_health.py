"""A router without a complaint is well."""

from router.admin.health import Condition


def test_well_by_default() -> None:
    assert Condition() == (None, None)
