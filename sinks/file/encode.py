"""A batch of events as lines, file by file. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from router.envelope import Envelope


@dataclass(slots=True)
class Part:
    """What one file gets of a batch: the lines, and which events of the batch they are."""

    lines: list[bytes] = field(default_factory=list)
    indices: list[int] = field(default_factory=list)

    @property
    def data(self) -> bytes:
        """The lines as they are written."""
        return b"".join(self.lines)


def line(envelope: Envelope) -> bytes:
    """The envelope's own bytes and a newline. A newline within can only be white space of the JSON."""
    return envelope.json.replace(b"\n", b" ") + b"\n"


def by_file(batch: Sequence[Envelope], file_of: Callable[[Envelope], str]) -> dict[str, Part]:
    """Parts by file, the batch's order kept in each."""
    parts: dict[str, Part] = {}
    for index, envelope in enumerate(batch):
        part = parts.setdefault(file_of(envelope), Part())
        part.lines.append(line(envelope))
        part.indices.append(index)
    return parts
