"""How long a connection waits before it is made again. We never give up, whatever count the server gives."""

from collections.abc import Callable

from router.feishu.discovery import ClientConfig, Verdict

SLOWLY_SECONDS = 60.0
FATAL_SECONDS = 300.0
LOWEST, SPREAD = 0.8, 0.4


class Waits:
    """Of one connection. random: uniform in [0, 1)."""

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._attempts = 0

    def connected(self) -> None:
        """There was somebody who spoke: what follows is a first loss again."""
        self._attempts = 0

    def after(self, verdict: Verdict, config: ClientConfig) -> float:
        """Seconds until the next attempt.

        First anywhere within the server's nonce, so that its clients don't all come back at once; then at its interval.
        What can't pass by itself is tried again slowly, and never faster than that.
        """
        if verdict is Verdict.FATAL:
            return FATAL_SECONDS * (1 + SPREAD * self._random())
        if verdict is Verdict.SLOWLY:
            return SLOWLY_SECONDS * (1 + SPREAD * self._random())
        self._attempts += 1
        if self._attempts == 1:
            return config.reconnect_nonce * self._random()
        return config.reconnect_interval * (LOWEST + SPREAD * self._random())
