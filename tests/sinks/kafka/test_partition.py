from aiokafka.partitioner import murmur2
from hypothesis import given
from hypothesis import strategies as st

from sinks.kafka.partition import key_hash


@given(st.binary(max_size=100))
def test_a_key_has_the_hash_that_every_client_gives_it(key: bytes) -> None:
    assert key_hash(key) == int(murmur2(key)) & 0x7FFFFFFF
