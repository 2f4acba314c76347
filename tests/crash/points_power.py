"""A disk that loses power: of what wasn't synced any part may be there afterwards. Pure.

What is promised: a sync of a file makes all that was written to it before last, a sync of the directory makes its names
last. A sector is written whole or not at all.
"""

import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.crash.points_trace import Created, Done, Removed, Sized, Synced, Written

SECTOR = 512
Change = Written | Sized


@dataclass(eq=False)
class File:
    """durable: what is sure; pending: what came after, in order."""

    durable: bytearray = field(default_factory=bytearray)
    pending: list[Change] = field(default_factory=list)

    def whole(self) -> bytes:
        return _changed(self.durable, self.pending)

    def sync(self) -> None:
        for change in self.pending:
            _apply(self.durable, change)
        self.pending.clear()


class Disk:
    """One directory. Fed with what a program did; `after_kill` and `after_cut` say what could be found then."""

    def __init__(self, files: dict[str, bytes] | None = None) -> None:
        self._durable = {name: File(bytearray(content)) for name, content in (files or {}).items()}
        self._names = dict(self._durable)
        self._renamed: list[tuple[str, File | None]] = []

    def feed(self, done: Done) -> None:
        if isinstance(done, Created) and done.name not in self._names:
            self._name(done.name, File())
        elif isinstance(done, Removed):
            self._name(done.name, None)
        elif isinstance(done, Written | Sized):
            self._names[done.name].pending.append(done)
        elif isinstance(done, Synced) and done.name:
            self._names[done.name].sync()
        elif isinstance(done, Synced):
            self._durable, self._renamed = dict(self._names), []

    def after_kill(self) -> dict[str, bytes]:
        """The process is gone, the kernel isn't: everything is there."""
        return {name: file.whole() for name, file in self._names.items()}

    def after_cut(self, rng: random.Random) -> dict[str, bytes]:
        """The power is gone: what is durable, and some of the rest."""
        names = dict(self._durable)
        for name, file in rng.choice(_SURVIVORS)(self._renamed, rng):
            _set(names, name, file)
        return {name: _survived(file, rng) for name, file in names.items()}

    def _name(self, name: str, file: File | None) -> None:
        _set(self._names, name, file)
        self._renamed.append((name, file))


def _set(names: dict[str, File], name: str, file: File | None) -> None:
    if file is None:
        names.pop(name, None)
    else:
        names[name] = file


def _survived(file: File, rng: random.Random) -> bytes:
    kept = rng.choice(_SURVIVORS)(file.pending, rng)
    torn = rng.random() < 0.5
    return _changed(file.durable, [part for change in kept for part in (_torn(change, rng) if torn else [change])])


def _torn(change: Change, rng: random.Random) -> list[Change]:
    """Some of the sectors of a write; most often all, so that a whole commit has its chance."""
    if isinstance(change, Sized) or rng.random() < 0.7:
        return [change]
    parts = _sectors(change)
    return list(rng.choice(_SURVIVORS)(parts, rng))


def _sectors(change: Written) -> list[Change]:
    """The write cut where one sector of the disk ends and the next begins."""
    begin, end = change.offset, change.offset + len(change.data)
    edges = [begin, *range(begin - begin % SECTOR + SECTOR, end, SECTOR), end]
    return [Written(change.name, a, change.data[a - begin : b - begin]) for a, b in itertools.pairwise(edges)]


def _all(things: list, rng: random.Random) -> list:  # type: ignore[type-arg]
    return list(things)


def _none(things: list, rng: random.Random) -> list:  # type: ignore[type-arg]
    return []


def _first(things: list, rng: random.Random) -> list:  # type: ignore[type-arg]
    return things[: rng.randint(0, len(things))]


def _any(things: list, rng: random.Random) -> list:  # type: ignore[type-arg]
    share = rng.random()
    return [thing for thing in things if rng.random() < share]


def _but_one(things: list, rng: random.Random) -> list:  # type: ignore[type-arg]
    lost = rng.randrange(len(things)) if things else 0
    return [thing for at, thing in enumerate(things) if at != lost]


_SURVIVORS: tuple[Callable[[list, random.Random], list], ...] = (_all, _none, _first, _any, _but_one)  # type: ignore[type-arg]


def _changed(content: bytes | bytearray, changes: list[Change]) -> bytes:
    after = bytearray(content)
    for change in changes:
        _apply(after, change)
    return bytes(after)


def _apply(content: bytearray, change: Change) -> None:
    size = change.size if isinstance(change, Sized) else change.offset + len(change.data)
    if isinstance(change, Sized) and size < len(content):
        del content[size:]
    content.extend(bytes(max(0, size - len(content))))
    if isinstance(change, Written):
        content[change.offset : size] = change.data
