"""Feishu's stand-in, the router as a program, and behind it programs written with the SDKs: all of them real."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from router.simulator.endpoint import App
from router.simulator.simulator import Behaviour, Simulator
from tests.doubles.ports import free_ports
from tests.flow.program import Program, eventually
from tests.interop.bots import WEBHOOK, Bot

HOOK, LINE = "cli_00000000000000aa", "cli_00000000000000bb"
ROADS_IN = {WEBHOOK: HOOK, "long_connection": LINE}
"""By road, the app whose events come by it."""
_KEY, _TOKEN, _SECRET = "key of the app at Feishu", "token-of-the-app-at-feishu", "secret-of-the-app-at-feishu"
PATIENCE = 150.0
"""For what takes a second where nothing else runs."""


class Stage:
    """`async with Stage(folder, bots) as stage`: everything runs, nothing was pushed yet.

    feishu: the stand-in, with an app for each road. settings: more of them, for the router.
    """

    def __init__(self, folder: Path, bots: Sequence[Bot], settings: Mapping[str, str] | None = None) -> None:
        self.bots = bots
        [port] = free_ports(1)
        self.domain = f"http://127.0.0.1:{port}"
        environ = {
            "FER_APPS": "hook,line",
            "FER_APP__HOOK__ENCRYPT_KEY": _KEY,
            "FER_APP__HOOK__VERIFICATION_TOKEN": _TOKEN,
            "FER_APP__LINE__MODE": "long_connection",
            "FER_APP__LINE__APP_ID": LINE,
            "FER_APP__LINE__APP_SECRET": _SECRET,
            "FER_WS__LISTEN": f"127.0.0.1:{port}",
            "FER_SINKS": ",".join(bot.name for bot in bots),
            **{name: value for bot in bots for name, value in _sink(bot).items()},
            **(settings or {}),
        }
        self.router = Program(folder, environ)
        webhook = App(HOOK, webhook=f"{self.router.url}/hook", encrypt_key=_KEY, token=_TOKEN)
        self.feishu = Simulator([webhook, App(LINE, _SECRET)], Behaviour(compress=100))
        self._stack = ExitStack()

    async def __aenter__(self) -> Self:
        self.router.environ["FER_APP__LINE__DOMAIN"] = await self.feishu.start()
        try:
            await asyncio.to_thread(self._start)
            await self.soon(lambda: self.feishu.connections(LINE) > 0)
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.feishu.close()
        await asyncio.to_thread(self._stack.close)

    def _start(self) -> None:
        """First who must be there for the next: a webhook for its challenge, the router for a client's first try."""
        webhooks = [bot for bot in self.bots if bot.mode == WEBHOOK]
        for bot in webhooks:
            self._stack.enter_context(bot)
        for bot in webhooks:
            eventually(bot.listens, PATIENCE, bot.tail)
        self._stack.enter_context(self.router)
        for bot in self.bots:
            if bot.mode != WEBHOOK:
                bot.domain = self.domain
                self._stack.enter_context(bot)

    async def soon(
        self, fact: Callable[[], bool], seconds: float = PATIENCE, what: Callable[[], object] = lambda: ""
    ) -> None:
        """Wait for a fact that nothing announces. Fails with `what`, and what everyone said last."""
        end = asyncio.get_running_loop().time() + seconds
        while not await asyncio.to_thread(fact):
            if asyncio.get_running_loop().time() > end:
                said = [str(what()), self.router.tail(), *(bot.tail() for bot in self.bots)]
                raise AssertionError("\n\n".join(said))
            await asyncio.sleep(0.1)

    async def arrived(self, ids: Collection[str], bots: Sequence[Bot] = ()) -> None:
        """Wait until all of these are with each of those programs (by default, all), in whatever order."""

        def missing() -> dict[str, int]:
            lacking = {bot.name: len(set(ids) - set(bot.ids())) for bot in bots or self.bots}
            return {name: count for name, count in lacking.items() if count}

        await self.soon(lambda: not missing(), what=lambda: f"not arrived: {missing()}")


def _sink(bot: Bot) -> dict[str, str]:
    """The settings of the sink in front of a program."""
    if bot.mode == WEBHOOK:
        mine = {
            "TYPE": "http",
            "FORMAT": "feishu",
            "URL": f"http://127.0.0.1:{bot.port}/webhook/event",
            "ENCRYPT_KEY": bot.key,
            "VERIFICATION_TOKEN": bot.token,
            "VERIFY_URL": "true",
        }
    else:
        mine = {"TYPE": "feishu_ws", "APP_ID": bot.app_id, "APP_SECRET": bot.app_secret}
    return {f"FER_SINK__{bot.name.upper()}__{name}": value for name, value in mine.items()}
