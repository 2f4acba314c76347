"""What becomes of the events that a connection brings."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from router.feishu.callback import arrived
from router.ingress.intake import Intake
from router.ingress.long_connection.tools import Tools
from router.ingress.replies import BUSY, LATE, TOO_LARGE, Reply
from router.settings.model import AppSettings, IngressSettings
from router.telemetry import facts

UNANSWERED = Reply(0, b"", "unanswered")
"""No answer at all, over a connection that is given up: the event comes over another one."""


class Handler(Protocol):
    """Whoever runs a session brings one. Its replies are the webhook's: status 200 is acknowledged with 200, any other with
    500, so that the event comes again; UNANSWERED not at all, by a handler that has the session stopped."""

    def take(self, payload: bytes, begun: float) -> Reply | asyncio.Future[Reply]:
        """Take a whole event. begun: when it came (the clock's monotonic seconds).

        A future never fails; one that isn't done within the budget is given LATE by the session.
        """

    def late(self) -> None:
        """An event was given LATE."""


class IntakeHandler:
    """Takes events the way the webhook does with pushes."""

    def __init__(self, name: str, app: AppSettings, intake: Intake, limits: IngressSettings, tools: Tools) -> None:
        self._name = name
        self._app_id = app.app_id
        self._secrets = _secrets(app)
        self._intake = intake
        self._limits = limits
        self._wall = tools.clock.wall
        self._received = tools.telemetry.tally(facts.RECEIVED, app=name)

    def use(self, app: AppSettings) -> None:
        """From now on these are the app's secrets."""
        self._secrets = _secrets(app)

    def take(self, payload: bytes, begun: float) -> Reply | asyncio.Future[Reply]:
        """See `Handler.take`."""
        self._received.count += 1
        intake, limits = self._intake, self._limits
        if len(payload) > limits.max_body_bytes:
            return intake.refuse(self._name, TOO_LARGE, _client)
        if not intake.load.admits(len(payload)):
            return intake.refuse(self._name, BUSY, _client)
        result = arrived(self._name, self._app_id, payload, self._wall(), limits.max_depth, self._secrets)
        return intake.take(self._name, result, begun, _client)

    def late(self) -> None:
        """See `Handler.late`."""
        self._intake.refuse(self._name, LATE, _client)


def _secrets(app: AppSettings) -> Sequence[str]:
    """What must not show up in what is kept of an event that isn't understood."""
    secrets = [*app.encrypt_key, *app.verification_token, *([app.app_secret] if app.app_secret else [])]
    return [secret.get_secret_value() for secret in secrets]


def _client() -> str:
    return "long connection"
