"""A clock that a test moves by hand."""


class SteppedClock:
    """`now` is Unix seconds and the monotonic reading alike."""

    def __init__(self, now: float = 1_769_903_998.0) -> None:
        self.now = now

    def wall(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
