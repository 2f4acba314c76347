"""Pushes made in advance, of one length in one file, so that sending one costs a slice: whole HTTP requests, or plain."""

import binascii
import hashlib
import mmap
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from Crypto.Cipher import AES

from router.feishu.crypto import BLOCK, sign
from router.feishu.keys import NONCE, SIGNATURE, TIMESTAMP
from router.feishu.push import USER_AGENT
from router.feishu.samples import sample, seed_types

ENCRYPT_KEY = "benchmark-encrypt-key"
TOKEN = "benchmark-verification-token"
PATH = "/webhook/event"
TYPES = (*seed_types(), "corehr.department.created_v2")
PLAINTEXT_BYTES = 1000
SUBJECTS = 10_000
CHUNK = 20_000
_ENTITY = ("department_id", "employment_id", "process_id", "approval_group_id")


class Pool(NamedTuple):
    """`events` pushes of `size` bytes each."""

    file: Path
    size: int
    events: int

    def open(self) -> mmap.mmap:
        """The pushes one after another, read only."""
        with self.file.open("rb") as opened:
            return mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)


def event_id(number: int) -> str:
    """32 hex digits, as Feishu's; the first eight are the number, so that a consumer can tell which it is."""
    return f"{number:08x}{hashlib.md5(number.to_bytes(8, 'big'), usedforsecurity=False).hexdigest()[:24]}"


def number_of(id_: str) -> int:
    """Which event it is."""
    return int(id_[:8], 16)


def push(number: int, created_ms: int, token: str = TOKEN) -> dict[str, Any]:
    """One event of six types in turn and one of 10,000 subjects at random, padded to `PLAINTEXT_BYTES` of JSON."""
    made = sample(TYPES[number % len(TYPES)])
    made["header"] |= {"event_id": event_id(number), "create_time": str(created_ms), "token": token}
    event = made["event"]
    subject = int(event_id(number)[-8:], 16) % SUBJECTS
    for name in _ENTITY:
        if name in event:
            event[name] = str(7072306364927985196 + subject)
    event["remark"] = ""
    missing = PLAINTEXT_BYTES - len(orjson.dumps(made))
    # Half of it random: real events compress, but not to nothing.
    noise = hashlib.shake_128(number.to_bytes(8, "big")).hexdigest(missing // 4 + 1)
    event["remark"] = (noise + "employee transferred within the organisation; " * 20)[:missing]
    return made


def request(number: int, now_ms: int) -> bytes:
    """The push as Feishu's client would send it: encrypted, signed, keep-alive."""
    plaintext = orjson.dumps(push(number, now_ms + number // 20))
    pad = BLOCK - len(plaintext) % BLOCK
    iv = hashlib.md5(plaintext, usedforsecurity=False).digest()
    cipher = AES.new(hashlib.sha256(ENCRYPT_KEY.encode()).digest(), AES.MODE_CBC, iv)
    sealed = binascii.b2a_base64(iv + cipher.encrypt(plaintext + bytes([pad]) * pad), newline=False)
    body = b'{"encrypt":"' + sealed + b'"}'
    timestamp, nonce = str(now_ms // 1000), f"{number % 10**10:010d}"
    signature = sign(timestamp.encode(), nonce.encode(), ENCRYPT_KEY.encode(), body)
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: {USER_AGENT}\r\nContent-Length: {len(body)}\r\n"
        f"Content-Type: application/json;charset=utf-8\r\n{TIMESTAMP}: {timestamp}\r\n{NONCE}: {nonce}\r\n"
        f"{SIGNATURE}: {signature}\r\nAccept-Encoding: gzip\r\n\r\n"
    )
    return head.encode() + body


def plain(number: int, now_ms: int) -> bytes:
    """The push as it comes over a long connection."""
    return orjson.dumps(push(number, now_ms + number // 20, token=""))


def make(file: Path, count: int, now_ms: int, each: Callable[[int, int], bytes] = request) -> Pool:
    """Write them with every core there is. each: makes one from its number and the time.

    Nothing of it is left to be written by the kernel: half a minute later, amid a run, that holds up whoever syncs.
    """
    size = len(each(0, now_ms))
    with file.open("wb") as opened:
        opened.truncate(size * count)
    starts = range(0, count, CHUNK)
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as workers:
        for _ in workers.map(
            _write, repeat(file), starts, [min(CHUNK, count - at) for at in starts], repeat(now_ms), repeat(each)
        ):
            pass
    return Pool(file, size, count)


def _write(file: Path, first: int, count: int, now_ms: int, each: Callable[[int, int], bytes]) -> None:
    requests = [each(number, now_ms) for number in range(first, first + count)]
    size = len(requests[0])
    if {len(made) for made in requests} != {size}:
        raise AssertionError("pushes differ in length")
    with file.open("r+b") as opened:
        opened.seek(first * size)
        opened.write(b"".join(requests))
        opened.flush()
        os.fsync(opened.fileno())
