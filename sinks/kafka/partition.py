"""Which partition a key belongs to, as Java's clients have it: MurmurHash2 of the key, modulo the partitions.

aiokafka has the same in pure Python, byte by byte; word by word it costs half, and keys come again.
"""

import functools
import struct

_MASK = 0xFFFFFFFF
_MIX = 0x5BD1E995
_SEED = 0x9747B28C


@functools.lru_cache(maxsize=16384)
def key_hash(key: bytes) -> int:
    """The key's hash, 31 bits."""
    size = len(key)
    value = _SEED ^ size
    for word in struct.unpack_from(f"<{size >> 2}I", key):
        mixed = word * _MIX & _MASK
        value = (value * _MIX & _MASK) ^ ((mixed ^ mixed >> 24) * _MIX & _MASK)
    if size & 3:
        value = (value ^ int.from_bytes(key[size & ~3 :], "little")) * _MIX & _MASK
    value = (value ^ value >> 13) * _MIX & _MASK
    return (value ^ value >> 15) & 0x7FFFFFFF
