"""One websocket: what is acknowledged, when, with which bytes, and what ends it."""

import asyncio
import base64
from contextlib import suppress

import aiohttp
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.feishu import frames
from router.ingress.long_connection.handler import UNANSWERED
from router.ingress.long_connection.session import HELD_BYTES, Lost
from router.ingress.long_connection.socket import MESSAGE_BYTES
from router.ingress.replies import BUSY, CALLBACK, LATE, SUCCESS, Reply
from tests.doubles.hurried import HurriedClock
from tests.doubles.peer import SERVICE
from tests.doubles.waiting import until
from tests.feishu.vectors import ALL
from tests.ingress.long_connection.worlds import Recorder, code, document, frame, session

FRAMES = {vector["id"]: bytes.fromhex(vector["hex"]) for vector in ALL["ws_frames"]}


def held() -> tuple[Recorder, list["asyncio.Future[Reply]"]]:
    """A handler whose futures the test resolves."""
    futures: list[asyncio.Future[Reply]] = []

    def answer(_: bytes) -> "asyncio.Future[Reply]":
        futures.append(asyncio.get_running_loop().create_future())
        return futures[-1]

    return Recorder(answer), futures


async def test_the_first_thing_is_a_ping_and_it_is_the_sdks() -> None:
    async with session() as world:
        assert await world.line.next() == FRAMES["ping"]


def without_time(ack: bytes) -> bytes:
    return ack.replace(b"*\x0b\n\x06biz_rt\x12\x011", b"*\x0b\n\x06biz_rt\x12\x010").replace(
        b"*\x0c\n\x06biz_rt\x12\x0212", b"*\x0b\n\x06biz_rt\x12\x010"
    )


@pytest.mark.parametrize(
    ("reply", "vector"),
    [(SUCCESS, "ack-ok"), (BUSY, "ack-fail"), (Reply(503, b""), "ack-fail")],
)
async def test_an_event_comes_back_byte_for_byte(reply: Reply, vector: str) -> None:
    async with session(Recorder(lambda _: reply)) as world:
        await world.line.send(FRAMES["event-single"])
        ack = await world.line.next(2)
        ours, theirs = frames.decode(ack), frames.decode(FRAMES[vector])
        assert ours.headers[:-1] == theirs.headers[:-1]
        assert ours.headers[-1][0] == "biz_rt"
        assert ours._replace(headers=(), raw=None) == theirs._replace(headers=(), raw=None)
        assert without_time(ack) == without_time(FRAMES[vector])


@pytest.mark.parametrize("vector", ["event-single", "card-type-frame", "missing-sum"])
async def test_whatever_can_be_understood_is_taken(vector: str) -> None:
    async with session() as world:
        await world.line.send(FRAMES[vector])
        assert code(await world.line.next(2)) == 200
        assert len(world.handler.taken) == 1


@pytest.mark.parametrize("vector", ["garbage", "pong-with-config", "pong-without-payload", "ping"])
async def test_whatever_is_no_event_is_not_answered_and_ends_nothing(vector: str) -> None:
    async with session() as world:
        await world.line.send(FRAMES[vector], frame())
        assert code(await world.line.next(2)) == 200
        assert len(world.handler.taken) == 1
        assert world.count("broken_frames", app="hr") == (vector == "garbage")


async def test_parts_out_of_order_are_answered_once_by_the_one_that_completes_them() -> None:
    async with session() as world:
        await world.line.send(*(FRAMES[f"event-split-{number}"] for number in (2, 0, 1)))
        ack = frames.decode(await world.line.next(2))
        assert (ack.seq_id, ack.header("seq")) == (11, "1")
        await world.line.send(frame())
        await world.line.next(3)
        assert world.handler.taken[0] == frames.decode(FRAMES["event-single"]).payload


async def test_a_part_repeated_after_its_message_is_whole_is_no_event() -> None:
    whole = orjson.dumps(document())
    parts = [frame(1, whole[at : at + 50], (at // 50, (len(whole) + 49) // 50)) for at in range(0, len(whole), 50)]
    async with session() as world:
        await world.line.send(parts[0], *parts, parts[-1], frame(2))
        assert frames.decode(await world.line.next(3)).header("message_id") == "m2"
        assert world.handler.taken == [whole, orjson.dumps(document(2))]


async def test_a_message_that_never_becomes_whole_is_told() -> None:
    async with session(clock=HurriedClock(100.0)) as world:
        await world.line.send(frame(1, part=(0, 2)))
        await until(lambda: world.count("broken_frames", app="hr") == 1)
        assert "not all parts came" in world.log.getvalue()


@pytest.mark.parametrize("part", [(3, 3), (-1, 3), (0, 10**6), (0, 0)])
async def test_impossible_parts_are_counted_and_nothing_else(part: tuple[int, int]) -> None:
    async with session() as world:
        await world.line.send(frame(1, part=part), frame(2))
        assert frames.decode(await world.line.next(2)).header("message_id") == "m2"
        assert world.count("broken_frames", app="hr") == 1


async def test_a_callback_is_answered_with_an_empty_object() -> None:
    async with session(Recorder(lambda _: CALLBACK)) as world:
        await world.line.send(FRAMES["card-type-frame"])
        ack = frames.decode(await world.line.next(2))
        answer = orjson.loads(ack.payload or b"")
        assert answer["code"] == 200
        assert base64.b64decode(answer["data"]) == b"{}"


async def test_nothing_is_acknowledged_before_its_time() -> None:
    handler, futures = held()
    async with session(handler) as world:
        await world.line.send(*(frame(number) for number in range(1, 4)))
        await until(lambda: len(futures) == 3)
        assert len(world.line.received) == 1
        futures[1].set_result(SUCCESS)
        ack = frames.decode(await world.line.next(2))
        assert ack.header("message_id") == "m2"
        futures[0].set_result(BUSY)
        futures[2].set_result(SUCCESS)
        await world.line.next(4)
        assert {frames.decode(m).header("message_id"): code(m) for m in world.line.received[2:]} == {
            "m1": 500,
            "m3": 200,
        }


async def test_what_is_not_durable_within_the_budget_is_given_up_in_time() -> None:
    handler, futures = held()
    async with session(handler, budget=0.05) as world:
        await world.line.send(frame(1), frame(2))
        await until(lambda: len(futures) == 2)
        futures[1].set_result(SUCCESS)
        await world.line.next(3)
        codes = {frames.decode(m).header("message_id"): code(m) for m in world.line.received[1:]}
        assert codes == {"m1": 500, "m2": 200}
        assert futures[0].result() is LATE
        assert world.handler.lates == 1
        await world.line.send(frame(3))  # the timer runs again for a later one
        await until(lambda: len(futures) == 3)
        assert code(await world.line.next(4)) == 500


async def test_a_bug_that_one_event_meets_keeps_no_other_out() -> None:
    def answer(payload: bytes) -> Reply:
        if b"d1" in payload:
            raise KeyError("no such luck")
        return SUCCESS

    async with session(Recorder(answer)) as world:
        await world.line.send(frame(1), frame(2))
        await world.line.next(3)
        assert [code(message) for message in world.line.received[1:]] == [500, 200]
        assert world.said("worker_crashed")[0]["error"] == "KeyError"


async def test_texts_are_ignored_and_pings_of_the_websocket_are_answered() -> None:
    async with session(autoping=False) as world:
        await world.line.socket.send_str(
            "not \ud83d a frame".encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        )
        await world.line.socket.ping(b"there?")
        await world.line.send(frame())
        assert code(await world.line.next(2)) == 200
        assert world.line.pongs == [b"there?"]


async def test_a_pongs_configuration_counts_at_once_and_a_broken_one_never() -> None:
    async with session(clock=HurriedClock(), ponging=True) as world:
        assert world.session.config.ping_interval == 120
        config = {"ReconnectCount": 7, "ReconnectInterval": 3, "ReconnectNonce": 2, "PingInterval": 2}
        await world.line.send(frames.pong(SERVICE, orjson.dumps(config)))
        await world.line.next(4)  # at 120 s it would be much later
        assert world.session.config == (7, 3, 2, 2)
        assert world.session.last_pong_ms
        for broken in (b"{", b"{}", b"[]", orjson.dumps(config | {"PingInterval": 0}), b"\xff", b"null"):
            await world.line.send(frames.pong(SERVICE, broken))
        await world.line.send(frame())
        await until(lambda: len(world.handler.taken) == 1)
        assert world.session.config == (7, 3, 2, 2)
        await world.line.send(frames.pong(SERVICE, orjson.dumps({"ReconnectNonce": 0, "PingInterval": 5})), frame())
        await until(lambda: len(world.handler.taken) == 2)
        assert world.session.config == (7, 3, 1, 5)


async def test_who_says_nothing_any_more_is_gone_whatever_tcp_believes() -> None:
    async with session(clock=HurriedClock()) as world:
        world.session.config = world.session.config._replace(ping_interval=3.0)
        lost = await world.lost()
        assert lost.reason == "silent"
        assert world.count("pings_unanswered", app="hr") >= 1
        await asyncio.wait_for(world.line.ended.wait(), 30)


async def test_events_without_pongs_are_a_sign_of_life() -> None:
    clock = HurriedClock(20.0)
    async with session(clock=clock) as world:
        world.session.config = world.session.config._replace(ping_interval=5.0)
        for number in range(1, 9):
            await world.line.send(frame(number))
            await clock.sleep(5)
        assert not world.task.done()
        assert len(world.handler.taken) == 8


@pytest.mark.parametrize("close_code", [1000, 1001, 1011])
async def test_a_close_is_told_with_its_code(close_code: int) -> None:
    async with session() as world:
        await world.line.socket.close(code=close_code)
        assert await world.lost() == Lost("closed", f"the peer closed it (code {close_code})")


async def test_a_connection_that_is_cut() -> None:
    async with session() as world:
        world.line.reset()
        assert (await world.lost()).reason == "reset"


async def test_a_frame_that_is_too_large_ends_it() -> None:
    async with session() as world:
        with suppress(ConnectionError):  # it is cut while the peer still writes
            await world.line.send(b"x" * (MESSAGE_BYTES + 1))
        lost = await world.lost()
        assert lost.reason == "protocol"
        assert "more than 8 MiB" in lost.detail
        assert world.count("broken_frames", app="hr") == 1


async def test_stopped_it_acknowledges_what_came_and_takes_no_more() -> None:
    handler, futures = held()
    async with session(handler, autoping=False) as world:
        await world.line.send(frame(1))
        await until(lambda: len(futures) == 1)
        world.stop.set()
        await until(lambda: world.session._finishing)
        await world.line.send(frame(2))
        await world.line.socket.ping()
        await until(lambda: bool(world.line.pongs))  # it has read what came before
        futures[0].set_result(SUCCESS)
        assert (await world.lost()).reason == "drained"
        await asyncio.wait_for(world.line.ended.wait(), 30)
        assert [frames.decode(message).header("message_id") for message in world.line.received[1:]] == ["m1"]
        assert world.line.close_code == aiohttp.WSCloseCode.OK


@pytest.mark.parametrize("at_once", [True, False])
async def test_what_is_given_up_is_not_answered_and_the_connection_ends(*, at_once: bool) -> None:
    handler, futures = held()
    given_up = Recorder(lambda _: UNANSWERED)
    async with session(given_up if at_once else handler) as world:
        await world.line.send(frame(1))
        if at_once:
            await until(lambda: given_up.taken != [])
        else:
            await until(lambda: len(futures) == 1)
            futures[0].set_result(UNANSWERED)
        world.stop.set()
        assert (await world.lost()).reason == "drained"
        await asyncio.wait_for(world.line.ended.wait(), 30)
        assert len(world.line.received) == 1  # the ping


async def test_stopped_it_waits_no_longer_than_the_budget() -> None:
    handler, _ = held()
    async with session(handler, budget=0.05) as world:
        await world.line.send(frame(1))
        await until(lambda: len(handler.taken) == 1)
        world.stop.set()
        assert (await world.lost()).reason == "drained"
        await asyncio.wait_for(world.line.ended.wait(), 30)
        assert [code(message) for message in world.line.received[1:]] == [500]


async def test_what_settles_after_the_end_is_answered_to_nobody() -> None:
    handler, futures = held()
    async with session(handler) as world:
        await world.line.send(frame(1))
        await until(lambda: len(futures) == 1)
        world.line.reset()
        await world.lost()
        futures[0].set_result(SUCCESS)
        await asyncio.sleep(0)
    assert handler.lates == 0


async def test_a_peer_that_reads_nothing_has_to_wait() -> None:
    handler, futures = held()
    payload = b"x" * (1 << 20)
    async with session(handler, budget=60.0) as world:
        sending = asyncio.create_task(world.line.send(*(frame(n, payload) for n in range(40))))
        held_each = 2 * len(payload)  # the frame, and the event in it
        await until(lambda: len(futures) * held_each > HELD_BYTES - held_each)
        for _ in range(20):
            await asyncio.sleep(0.005)
        assert len(futures) * held_each <= HELD_BYTES + held_each
        assert not sending.done()
        done = 0
        while done < 40:
            await until(lambda: len(futures) > done)  # noqa: B023 - it's awaited here
            futures[done].set_result(SUCCESS)
            done += 1
        await sending
        await world.line.next(41)


@settings(max_examples=25)
@given(st.lists(st.binary(max_size=80) | st.builds(lambda cut: frame()[:cut], st.integers(0, 400)), max_size=20))
def test_no_bytes_end_a_session(messages: list[bytes]) -> None:
    async def main() -> None:
        async with session() as world:
            await world.line.send(*messages, frame(77))
            await until(lambda: frames.decode(world.line.received[-1]).header("message_id") == "m77")
            assert not world.task.done()

    asyncio.run(main())


async def test_a_flood_of_acknowledgements_keeps_its_order() -> None:
    async with session() as world:
        await world.line.send(*(frame(number) for number in range(500)))
        await world.line.next(501)
        seen = [frames.decode(message).seq_id for message in world.line.received[1:]]
        assert seen == list(range(500))
