"""Eight programs behind one router, and what happens to programs: each gets every event, none waits for another."""

import asyncio
import functools
import itertools
import os
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from router.feishu.samples import fresh, sample
from router.simulator.account import State
from tests.interop.bots import LONG_CONNECTION, WEBHOOK, Bot
from tests.interop.lines import id_of
from tests.interop.matrix import OK, all_bots, verdict
from tests.interop.stage import HOOK, PATIENCE, ROADS_IN, Stage

pytestmark = [pytest.mark.interop, pytest.mark.timeout(600), pytest.mark.asyncio(loop_scope="module")]
DEPARTMENT, GROUPS = "corehr.department.updated_v2", "corehr.approval_groups.updated_v2"
HURRIED = {"RETRY__INITIAL_SECONDS": "0.1", "RETRY__MAX_SECONDS": "0.5"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    folder = tmp_path_factory.mktemp("stage")
    bots = all_bots(folder)
    settings = {f"FER_SINK__{bot.name.upper()}__{name}": value for bot in bots for name, value in HURRIED.items()}
    settings["FER_INGRESS__MAX_BODY_BYTES"] = "8MiB"
    async with Stage(folder, bots, settings) as stage:
        yield stage


def department(number: int = 1, subject: str = "") -> dict[str, Any]:
    """An event of a department that no other test speaks of, or of that one."""
    push = fresh(sample(DEPARTMENT), time.time(), "", HOOK)
    return {**push, "event": {"department_id": subject or uuid.uuid4().hex, "field_changes": [str(number)]}}


async def push(stage: Stage, *events: dict[str, Any], road: str = WEBHOOK) -> list[str]:
    """Push them one after the other, each taken before the next. Their ids."""
    for event in events:
        async with asyncio.timeout(PATIENCE):
            record = await stage.feishu.deliver(event, app_id=ROADS_IN[road], road=road)
        assert record.state is State.ACCEPTED, record.document()
    return [id_of({"document": event}) for event in events]


async def came(stage: Stage, bots: list[Bot], ids: list[str]) -> None:
    """Wait until each of them has got all of these, in this order; copies don't count: a busy machine answers late."""
    await stage.arrived(ids, bots)
    for bot in bots:
        assert [id_ for id_ in dict.fromkeys(bot.ids()) if id_ in ids] == ids, bot.name


async def above(stage: Stage, floor: float, metric: str, bot: Bot, **labels: str) -> None:
    """Wait until that metric of its sink is greater."""
    await stage.soon(lambda: stage.router.metric(metric, sink=bot.name, **labels) > floor)


def of(stage: Stage, mode: str) -> list[Bot]:
    return [bot for bot in stage.bots if bot.mode == mode]


def named(stage: Stage, name: str) -> Bot:
    return next(bot for bot in stage.bots if bot.name == name)


async def test_a_handler_that_fails_gets_the_event_again(stage: Stage) -> None:
    failing = [bot for bot in stage.bots if bot.name != "node_webhook"]
    before = {bot: stage.router.metric("fer_retried_total", sink=bot.name) for bot in failing}
    for bot in failing:
        bot.refuse()
    subject = uuid.uuid4().hex
    ids = await push(stage, *(department(number, subject) for number in range(3)))
    await came(stage, [named(stage, "node_webhook")], ids)
    for bot in failing:
        await above(stage, before[bot] + 1, "fer_retried_total", bot)
        bot.accept()
    await came(stage, failing, ids)


async def test_a_node_program_that_a_failing_handler_ends_gets_the_event_from_its_next_life(stage: Stage) -> None:
    bot = named(stage, "node_webhook")
    bot.refuse()
    ids = await push(stage, department())
    await stage.soon(lambda: not bot.runs())
    bot.accept()
    bot.start()
    await came(stage, list(stage.bots), ids)


async def test_programs_that_are_away_find_everything_waiting(stage: Stage) -> None:
    for bot in stage.bots:
        bot.kill()
    subject = uuid.uuid4().hex
    ids = await push(stage, *(department(number, subject) for number in range(5)))
    for bot in stage.bots:
        await above(stage, 0, "fer_sink_state", bot, state="unavailable")
    for bot in stage.bots:
        bot.start()
    await came(stage, list(stage.bots), ids)


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_the_router_is_started_again_and_the_programs_come_back_by_themselves(stage: Stage, how: str) -> None:
    before = await push(stage, department())
    await asyncio.to_thread(getattr(stage.router, how))
    await asyncio.to_thread(stage.router.start)
    after = await push(stage, department())
    await stage.arrived([*before, *after])


async def test_an_unknown_type_holds_nobody_up(stage: Stage) -> None:
    unheard = fresh(sample("corehr.unheard.of_v1"), time.time(), "", HOOK)
    await push(stage, unheard)
    subject = uuid.uuid4().hex
    await came(stage, list(stage.bots), await push(stage, *(department(number, subject) for number in range(3))))


async def test_an_event_of_schema_1_comes_as_such(stage: Stage) -> None:
    old = fresh(sample("approval_instance"), time.time(), "", HOOK)
    ids = await push(stage, old)
    await compared(stage, old, ids)


async def test_odd_texts_come_unharmed(stage: Stage) -> None:
    texts = [
        "𝄞 \U0001f468‍\U0001f469‍\U0001f467",
        "\u2028\u2029\ufeff",
        '"\\/\b\f\n\r\t\x7f',
        "</script>&amp;%s{0}$1",
        "ÿ" * 100_000,
    ]
    for text in texts:
        event = fresh(sample(GROUPS), time.time(), "", HOOK)
        event = {**event, "event": {**event["event"], "topic": text, "adjust_reason": text[::-1], "draft_id": text[:9]}}
        await compared(stage, event, await push(stage, event))


async def test_an_event_of_more_than_a_mebibyte_comes_to_every_program(stage: Stage) -> None:
    event = fresh(sample(GROUPS), time.time(), "", HOOK)
    event = {**event, "event": {**event["event"], "topic": "重" * (700 << 10)}}
    await compared(stage, event, await push(stage, event, road="long_connection"))


async def compared(stage: Stage, event: dict[str, Any], ids: list[str]) -> None:
    """Every program has written down what it should of that event."""
    await came(stage, list(stage.bots), ids)
    for bot in stage.bots:
        assert verdict(bot, event) == OK, bot.name


async def test_a_slow_handler_gets_one_after_the_other_and_nothing_twice(stage: Stage) -> None:
    """Python's SDK runs one handler at a time: the third of three events would wait longer than an answer may take."""
    bot = named(stage, "python_long")
    await came(stage, [bot], await push(stage, department()))
    kept = bot.events.read_text()
    bot.events.unlink()
    os.mkfifo(bot.events)  # whoever writes to it waits for a reader
    ids = await push(stage, *(department() for _ in range(3)))
    came_slowly = await asyncio.to_thread(_read_slowly, bot.events, 3)
    bot.events.unlink()
    bot.events.write_text(kept + came_slowly)
    await came(stage, [bot], await push(stage, department()))
    assert sorted(id_ for id_ in bot.ids() if id_ in ids) == sorted(ids)
    assert stage.router.metric("fer_retried_total", sink=bot.name, reason="no_ack") == 0


def _read_slowly(path: Path, count: int) -> str:
    """So many lines, 2.5 s from one to the next."""
    text = ""
    for _ in range(count):
        time.sleep(2.5)
        with path.open() as pipe:
            text += pipe.read()
    return text


async def test_two_programs_of_one_app_share_its_events(stage: Stage, tmp_path: Path) -> None:
    pairs = [(bot, Bot(bot.sdk, bot.mode, tmp_path)) for bot in of(stage, LONG_CONNECTION)]
    with ExitStack() as running:
        for first, twin in pairs:
            before = stage.router.metric("fer_subscribers_connected_total", sink=first.name)
            twin.domain = stage.domain
            running.enter_context(twin)
            await above(stage, before, "fer_subscribers_connected_total", first)
        ids: list[str] = []
        while not all(twin.ids() for _, twin in pairs):  # Java's gets nothing in its first second
            ids += await push(stage, department())
        for first, twin in pairs:
            await stage.soon(functools.partial(_together, ids, first, twin), what=twin.tail)
    for first, twin in pairs:
        shared = [[id_ for id_ in bot.ids() if id_ in ids] for bot in (first, twin)]
        assert all(shared), f"{first.name}: the first of two got nothing"
        assert sorted(itertools.chain(*shared)) == sorted(ids), first.name
    await came(stage, [first for first, _ in pairs], await push(stage, department()))


def _together(ids: list[str], *bots: Bot) -> bool:
    return set(ids) <= {id_ for bot in bots for id_ in bot.ids()}


async def test_a_wrong_key_loses_nothing(stage: Stage) -> None:
    """Three answer 500 to what they can't decrypt; Node's program ends, and whoever keeps it running starts it again."""
    bots = of(stage, WEBHOOK)
    right = dict(stage.router.environ)
    await asyncio.to_thread(stage.router.stop)
    for bot in bots:
        prefix = f"FER_SINK__{bot.name.upper()}__"
        stage.router.environ |= {f"{prefix}ENCRYPT_KEY": "another key", f"{prefix}VERIFY_URL": "false"}
    await asyncio.to_thread(stage.router.start)
    ids = await push(stage, department())
    await came(stage, of(stage, LONG_CONNECTION), ids)
    for bot in bots:
        if bot.sdk != "node":
            await above(stage, 0, "fer_retried_total", bot)
        assert ids[0] not in bot.ids()
    node = named(stage, "node_webhook")
    await stage.soon(lambda: not node.runs())
    await asyncio.to_thread(stage.router.stop)
    stage.router.environ = right
    node.start()
    await asyncio.to_thread(stage.router.start)
    await came(stage, bots, ids)
