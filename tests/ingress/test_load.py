"""How much is let in at once."""

from hypothesis import given
from hypothesis import strategies as st

from router.ingress.load import Load


@given(st.integers(1, 5), st.integers(1, 100), st.lists(st.tuples(st.booleans(), st.integers(0, 60))))
def test_what_is_let_in_never_exceeds_the_limits(pushes: int, size: int, steps: list[tuple[bool, int]]) -> None:
    load = Load(pushes, size)
    inside: list[int] = []
    for enters, bytes_ in steps:
        if enters and load.admits(bytes_):
            load.enter(bytes_)
            inside.append(bytes_)
        elif not enters and inside:
            load.leave(inside.pop())
        assert (load.pushes, load.bytes) == (len(inside), sum(inside))
        assert load.pushes <= pushes
        assert load.bytes <= size
    assert load.admits(0) == (len(inside) < pushes)
