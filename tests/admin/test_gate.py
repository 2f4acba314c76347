"""Who may see what on the admin port."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.admin.gate import OPEN, refused


@pytest.mark.parametrize("path", sorted(OPEN))
@pytest.mark.parametrize("loopback", [True, False])
@pytest.mark.parametrize("token", [None, "secret"])
def test_health_and_metrics_are_for_everybody(path: str, loopback: bool, token: str | None) -> None:
    assert refused(path, None, token, loopback=loopback) is None


@pytest.mark.parametrize(
    ("authorization", "token", "loopback", "status"),
    [
        (None, None, True, None),
        (None, None, False, 403),
        ("Bearer ", None, False, 403),
        (None, "secret", False, 401),
        (None, "secret", True, 401),
        ("Bearer secret", "secret", False, None),
        ("bearer  secret ", "secret", True, None),
        ("Bearer wrong", "secret", False, 401),
        ("Basic secret", "secret", False, 401),
        ("secret", "secret", False, 401),
        ("Bearer \udcff", "secret", False, 401),
        ("Bearer", "", False, 403),
    ],
)
def test_all_else_needs_the_token(
    authorization: str | None, token: str | None, loopback: bool, status: int | None
) -> None:
    verdict = refused("/dead-letters", authorization, token, loopback=loopback)
    assert (verdict[0] if verdict else None) == status


@given(st.text(), st.text(min_size=1))
def test_nothing_but_the_token_passes(authorization: str, token: str) -> None:
    verdict = refused("/", authorization, token, loopback=False)
    assert verdict is not None or authorization.partition(" ")[2].strip() == token
