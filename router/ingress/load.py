"""How much is being worked on at once."""


class Load:
    """Pushes whose commit isn't settled, and the bytes held for them.

    Bodies still arriving don't count: nobody knows yet who sends them, and they must keep no verified push out.

    Counted until the journal has settled them, not until they are answered: a disk that hangs must not
    let memory grow by pushes that were given up with 503.
    """

    __slots__ = ("bytes", "max_bytes", "max_pushes", "pushes")

    def __init__(self, max_pushes: int, max_bytes: int) -> None:
        self.max_pushes = max_pushes
        self.max_bytes = max_bytes
        self.pushes = 0
        self.bytes = 0

    def admits(self, size: int) -> bool:
        """Whether one more push of that many bytes may come in."""
        return self.pushes < self.max_pushes and self.bytes + size <= self.max_bytes

    def enter(self, size: int) -> None:
        """A push began."""
        self.pushes += 1
        self.bytes += size

    def leave(self, size: int) -> None:
        """A push is settled."""
        self.pushes -= 1
        self.bytes -= size
