"""Ways in which a file goes bad between two starts. Pure."""

import random
from collections.abc import Callable

from router.journal.schema import PAGE_SIZE

SECTOR = 512
Damage = Callable[[bytes, random.Random], bytes]


def patched(content: bytes, at: int, patch: bytes) -> bytes:
    return content[:at] + patch + content[at + len(patch) :]


def cut(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content))]


def empty(_: bytes, __: random.Random) -> bytes:
    return b""


def flip(content: bytes, rng: random.Random) -> bytes:
    return _flipped(content, rng.randrange(len(content)), rng)


def flip_in_header(content: bytes, rng: random.Random) -> bytes:
    return _flipped(content, rng.randrange(min(100, len(content))), rng)


def zero_header(content: bytes, _: random.Random) -> bytes:
    return patched(content, 0, bytes(100))


def zero_sector(content: bytes, rng: random.Random) -> bytes:
    return patched(content, _place(content, SECTOR, rng), bytes(SECTOR))


def zero_page(content: bytes, rng: random.Random) -> bytes:
    return patched(content, _place(content, PAGE_SIZE, rng), bytes(PAGE_SIZE))


def garbage_page(content: bytes, rng: random.Random) -> bytes:
    return patched(content, _place(content, PAGE_SIZE, rng), rng.randbytes(PAGE_SIZE))


def swap_pages(content: bytes, rng: random.Random) -> bytes:
    one, other = _place(content, PAGE_SIZE, rng), _place(content, PAGE_SIZE, rng)
    moved = patched(content, one, content[other : other + PAGE_SIZE])
    return patched(moved, other, content[one : one + PAGE_SIZE])


def append_garbage(content: bytes, rng: random.Random) -> bytes:
    return content + rng.randbytes(rng.randrange(1, 3 * PAGE_SIZE))


def _place(content: bytes, size: int, rng: random.Random) -> int:
    return rng.randrange(len(content) // size) * size


def _flipped(content: bytes, at: int, rng: random.Random) -> bytes:
    return patched(content, at, bytes([content[at] ^ 1 << rng.randrange(8)]))
