"""Would Feishu let the apps connect? Each is asked for an address, and TCP and TLS opened to there, but no websocket."""

import asyncio
import time
from collections.abc import Mapping, Sequence

from router.ingress.long_connection.dialer import Dialer
from router.ingress.long_connection.failures import AttemptError
from router.ingress.long_connection.status import AppProbe
from router.settings.apps import LONG_CONNECTION
from router.settings.model import AppSettings


async def probe_apps(apps: Mapping[str, AppSettings], seconds: float) -> Sequence[AppProbe]:
    """One answer for each app with long connections, all asked at once."""
    asked = [(name, app) for name, app in apps.items() if app.mode == LONG_CONNECTION]
    return await asyncio.gather(*(_probe(name, app, seconds) for name, app in asked))


async def _probe(name: str, app: AppSettings, seconds: float) -> AppProbe:
    started = time.monotonic()
    detail = ""
    dialer = Dialer(app)
    try:
        async with asyncio.timeout(seconds):
            await dialer.probe()
    except TimeoutError:
        detail = f"no answer within {seconds:g} s"
    except AttemptError as error:
        detail = error.refusal.text
    finally:
        await dialer.close()
    return AppProbe(name or app.app_id, not detail, detail, (time.monotonic() - started) * 1000)
