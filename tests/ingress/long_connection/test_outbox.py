"""Against a real websocket."""

import asyncio

import pytest

from router.ingress.long_connection.dialer import Dialer
from router.ingress.long_connection.outbox import Outbox
from tests.doubles.peer import peer
from tests.ingress.long_connection.worlds import app


async def test_what_is_sent_goes_in_order_and_counts_until_it_is_gone() -> None:
    async with peer() as there:
        dialer = Dialer(app(there.domain))
        socket, _ = await dialer.dial()
        outbox = Outbox(socket, limit=100)
        assert outbox.empty
        outbox.hold(60)
        outbox.send(b"a" * 30)
        outbox.send(b"b" * 20)
        assert outbox.full
        assert not outbox.empty
        writing = asyncio.create_task(outbox.run())
        await outbox.eased()
        line = await there.line()
        assert await line.next(2) == b"b" * 20
        assert line.received[0] == b"a" * 30
        assert outbox.empty
        assert not outbox.full
        outbox.hold(50)
        assert outbox.full
        outbox.let_go(50)
        assert not outbox.full
        socket.cut()
        outbox.send(b"c")
        with pytest.raises(OSError, match=r".*"):
            await writing
        await dialer.close()
