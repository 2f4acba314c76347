"""The programs that may connect: a group for each sink, known by its id and its secrets."""

import hmac
from collections.abc import Iterable, Sequence
from hashlib import sha256

from sinks.feishu_ws.pool import Pool


class Group:
    """The programs of one sink. Shows no secret."""

    def __init__(self, sink: str, app_id: str, secrets: Sequence[str], pool: Pool) -> None:
        self.sink = sink
        self.app_id = app_id
        self.pool = pool
        self._digests: list[bytes] = []
        self.use(secrets)

    def use(self, secrets: Sequence[str]) -> None:
        """From now on these let a program in; who is in stays."""
        self._digests = [_digest(secret) for secret in secrets]

    def opens(self, secret: str) -> bool:
        """Whether this is one of its secrets. Takes as long whichever it is, and if none."""
        given, matches = _digest(secret), 0
        for digest in self._digests:
            matches += hmac.compare_digest(digest, given)
        return bool(matches)


class Groups:
    """All of them, each with an id of its own."""

    def __init__(self, groups: Iterable[Group]) -> None:
        self._by_id = {group.app_id: group for group in groups}
        self._nobody = Group("", "", ["no program has this one"], Pool())

    def of(self, sink: str) -> Group:
        """That sink's."""
        return next(group for group in self.all if group.sink == sink)

    def named(self, app_id: str) -> str:
        """The sink whose id this is, "" for nobody's. For the log only: programs aren't told which of the two is wrong."""
        return self._by_id.get(app_id, self._nobody).sink

    @property
    def all(self) -> Sequence[Group]:
        """In the order of the settings."""
        return list(self._by_id.values())

    def find(self, app_id: str, secret: str) -> Group | None:
        """Whose id and secret these are. What is wrong, id or secret, can't be told from outside."""
        group = self._by_id.get(app_id)
        opened = (group or self._nobody).opens(secret)
        return group if opened else None


def _digest(secret: str) -> bytes:
    """Of equal length for all, so that comparing tells nothing of theirs."""
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()
