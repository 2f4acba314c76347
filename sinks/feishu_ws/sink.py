"""Pushes events to connected programs, as Feishu's long connection does."""

from collections.abc import Sequence

from router.clock import Clock
from router.envelope import Envelope
from router.feishu.envelopes import OLD_CARD
from router.feishu.rebuild import to_push
from sinks.contract import DELIVERED, Outcome, Rejected, Retry, Unavailable
from sinks.feishu_ws import pool
from sinks.feishu_ws.pool import Pool
from sinks.feishu_ws.settings import FeishuWsSettings


class FeishuWsSink:
    """pool: the programs connected now. Whoever listens for them gives one that outlives this sink.

    Order needs no care here: the lane gives one unsettled event per key.
    """

    max_events = 1
    max_bytes = 1 << 20
    keeps_order = False

    def __init__(self, settings: FeishuWsSettings, clock: Clock | None = None) -> None:
        self.app_id = settings.app_id
        self.pool = Pool(settings.in_flight, settings.ack_seconds, settings.max_connections, clock)
        self._ack_seconds = settings.ack_seconds
        self._opened = False

    @property
    def concurrency(self) -> int:
        """As many as the connected programs have free slots for."""
        return self.pool.concurrency

    async def open(self) -> None:
        """Take events; nobody needs to be connected yet."""
        self._opened = True

    async def deliver(self, batch: Sequence[Envelope]) -> Sequence[Outcome]:
        """Each event to one of the programs; delivered when that has acknowledged it."""
        if not self._opened:
            return [Unavailable("closed", "the sink is not open")] * len(batch)
        return [await self._deliver(envelope) for envelope in batch]

    async def close(self) -> None:
        """Take no more. The programs stay connected."""
        self._opened = False

    def scope(self, envelope: Envelope) -> str:  # noqa: ARG002 - part of the contract
        """Any program takes any event."""
        return ""

    async def _deliver(self, envelope: Envelope) -> Outcome:
        if envelope.type == OLD_CARD:
            return Rejected("old_card", "no SDK takes a card callback of the old kind over a long connection")
        try:
            payload = to_push(envelope)
        except (ValueError, RecursionError) as error:
            return Rejected("not_encodable", f"can't be put into Feishu's form: {error}")
        code = await self.pool.push((envelope.id, hash(envelope.json)), payload)
        return DELIVERED if code == pool.ACKNOWLEDGED else self._failed(code)

    def _failed(self, code: int) -> Outcome:
        match code:
            case pool.NOBODY:
                return Unavailable("nobody_connected", f"nobody is connected as {self.app_id}")
            case pool.BUSY:
                return Unavailable(
                    "all_busy", "every connected program has yet to acknowledge what it was given before"
                )
            case pool.NO_ACK:
                return Retry("no_ack", f"not acknowledged within {self._ack_seconds:g} s")
            case pool.LOST:
                return Retry("disconnected", "the connection ended before the acknowledgement, more than once")
            case 500:
                return Retry("code_500", "the program answered 500: its handler failed, or it has none for this type")
        return Retry("code_other", f"the program answered with code {code}" if code else "an answer without a code")
