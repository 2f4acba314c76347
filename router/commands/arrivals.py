"""What `listen` does with each event: leave it out, show it, or push it on; and when it has had enough."""

import asyncio
import time
from collections.abc import Callable

import click

from router.commands.forward import Forward
from router.commands.showing import Render, forwarded, say
from router.envelope import Envelope
from router.feishu.callback import DEEPEST, arrived
from router.feishu.results import Quarantined
from router.ingress.long_connection.handler import UNANSWERED
from router.ingress.replies import SUCCESS, Reply, refusal
from sinks.contract import Delivered

NOT_TAKEN = refusal(503, "not_taken")
"""The router pushes it again."""


class Arrivals:
    """The handler of a session. taken: events shown or pushed on; left_out: those that the filters didn't let through;
    unprinted: why something could not be printed."""

    def __init__(
        self,
        wanted: Callable[[Envelope], bool],
        render: Render | None,
        forward: Forward | None,
        count: int | None,
        stop: asyncio.Event,
    ) -> None:
        """render: None prints nothing but what became of what is pushed on; stop: is set after `count` events, and when
        something can't be printed."""
        self.taken = 0
        self.left_out = 0
        self.unprinted: OSError | None = None
        self._wanted = wanted
        self._render = render
        self._forward = forward
        self._count = count
        self._stop = stop
        self._underway: set[asyncio.Task[None]] = set()

    def take(self, payload: bytes, begun: float) -> Reply | asyncio.Future[Reply]:  # noqa: ARG002 - of the contract
        """An event came."""
        if self._stop.is_set():
            return UNANSWERED
        if self._count is not None and self.taken + len(self._underway) >= self._count:
            return NOT_TAKEN
        result = arrived("", "", payload, time.time(), DEEPEST)
        if isinstance(result, Quarantined):
            say(f"Left out: something that is no event ({result.detail})")
            return SUCCESS
        if not self._wanted(result.envelope):
            self.left_out += 1
            return SUCCESS
        if self._forward is not None:
            return self._pushed_on(self._forward, result.envelope, payload)
        return self._shown(result.envelope, payload)

    def late(self) -> None:
        """The session told the router that an event took too long."""
        say("That was too late: the router pushes it again.")

    def _shown(self, envelope: Envelope, payload: bytes) -> Reply:
        if self._render is not None and not self._printed(self._render(envelope, payload)):
            return UNANSWERED
        self._one_more()
        return SUCCESS

    def _printed(self, text: str | bytes) -> bool:
        """Whether it could be printed; else it all ends."""
        try:
            click.echo(text)
        except OSError as error:
            self.unprinted = error
            self._stop.set()
            return False
        return True

    def _one_more(self) -> None:
        self.taken += 1
        if self.taken == self._count:
            self._stop.set()

    def _pushed_on(self, forward: Forward, envelope: Envelope, payload: bytes) -> asyncio.Future[Reply]:
        reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        task = asyncio.ensure_future(self._push_on(forward, envelope, payload, reply))
        self._underway.add(task)
        task.add_done_callback(self._underway.discard)
        return reply

    async def _push_on(
        self, forward: Forward, envelope: Envelope, payload: bytes, reply: "asyncio.Future[Reply]"
    ) -> None:
        answer = NOT_TAKEN
        try:
            pushed = await forward.push(envelope)
            if isinstance(pushed.outcome, Delivered):
                answer = SUCCESS  # whoever reads the output or doesn't: the program has it
                self._one_more()
            told = forwarded(envelope, *pushed)
            if self._render is None:
                self._printed(told)
            else:
                click.echo(told, err=True)
                if answer is SUCCESS:
                    self._printed(self._render(envelope, payload))
        finally:
            if not reply.done():
                reply.set_result(answer)
