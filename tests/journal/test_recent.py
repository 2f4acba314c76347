from router.journal.recent import Recent


def test_remembers_one_to_two_generations_and_no_more() -> None:
    recent = Recent(generation=10)
    for n in range(100):
        recent.add([bytes([n])], [n])
        assert all(recent.get(bytes([m])) == m for m in range(max(0, n - 9), n + 1))
    assert sum(recent.get(bytes([n])) is not None for n in range(100)) <= 20


def test_time_zero_is_remembered_as_such() -> None:
    recent = Recent(generation=1)
    recent.add([b"a"], [0])
    assert recent.get(b"a") == 0
    assert recent.get(b"b") is None
