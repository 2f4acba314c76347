"""What an operator can see of a connection."""

from typing import Literal, NamedTuple, get_args

State = Literal["connecting", "connected", "waiting", "refused", "stopped"]
STATES: tuple[State, ...] = get_args(State)


class ConnectionRow(NamedTuple):
    """One connection to Feishu.

    state: connecting; connected; waiting (it was lost or not to be had, and is tried again soon); refused (Feishu says no:
    it is tried again slowly); stopped (the router drains). id: Feishu's name for it, "" while there is none; reason: why it
    isn't connected, for people; times in Unix ms, 0 for never: since_ms: of the state; next_ms: the next attempt.
    """

    app: str
    number: int
    state: State
    id: str
    reason: str
    since_ms: int
    next_ms: int = 0
    events: int = 0
    last_event_ms: int = 0
    last_pong_ms: int = 0


class AppProbe(NamedTuple):
    """Whether Feishu takes an app's id and secret, and if not why, without secrets."""

    app: str
    ok: bool
    detail: str
    milliseconds: float
