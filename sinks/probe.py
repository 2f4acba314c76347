"""Does each sink answer? Opened and closed again, all at once, each within a deadline."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sinks import registry
from sinks.contract import Sink, SinkNotReadyError
from sinks.settings import SinkSettings


class Probe(NamedTuple):
    """Whether a sink answered, and if not why, without secrets."""

    sink: str
    ok: bool
    detail: str
    milliseconds: float


async def probe_all(sinks: Mapping[str, SinkSettings], seconds: float) -> Sequence[Probe]:
    """One answer per sink, in their order."""
    return await asyncio.gather(*(probe(name, settings, seconds) for name, settings in sinks.items()))


async def probe(name: str, settings: SinkSettings, seconds: float) -> Probe:
    """Open one sink and close it. Never raises for what the sink does."""
    started = time.monotonic()
    detail = await _why_not(name, settings, seconds)
    return Probe(name, not detail, detail, (time.monotonic() - started) * 1000)


async def _why_not(name: str, settings: SinkSettings, seconds: float) -> str:
    sink: Sink | None = None
    try:
        async with asyncio.timeout(seconds):
            sink = registry.find(settings.type).build(name, settings)
            await sink.open()
    except TimeoutError:
        return f"no answer within {seconds:g} s"
    except SinkNotReadyError as error:
        return str(error) or "not ready"
    except Exception as error:  # noqa: BLE001 - a plug-in may raise anything; its text might hold a secret
        return f"open() raised {type(error).__name__}"
    finally:
        if sink is not None:
            await _close(sink, seconds)
    return ""


async def _close(sink: Sink, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await sink.close()
    except Exception:  # noqa: BLE001, S110 - it answered or not; the process ends anyway
        pass
