"""What the settings of one app don't allow together: a road that its events take, and what belongs to the other one."""

from collections.abc import Iterable

from router.settings.environment import Environment
from router.settings.names import app_prefix, join

LONG_CONNECTION = "long_connection"
_NEEDED = {
    "app_id": "copy it from the developer console, Credentials & Basic Info: it begins with cli_",
    "app_secret": "copy it from the developer console, Credentials & Basic Info",
}
_LONG_ONLY = ("app_secret", "domain", "connections", "proxy", "tls_ca_file")


def check_apps(env: Environment, apps: Iterable[str]) -> None:
    """Blame what long connections need and is missing, and what only they have in an app without; faulty apps included."""
    by_id: dict[str, str] = {}
    for name in apps:
        prefix = app_prefix(name)
        mode = join(prefix, "mode")
        if mode in env.faulty:
            continue
        if env.raw(mode).strip() == LONG_CONNECTION:
            _check_needed(env, prefix)
            _check_id(env, join(prefix, "app_id"), by_id)
        else:
            _check_unused(env, prefix, mode)


def _check_needed(env: Environment, prefix: str) -> None:
    for field, remedy in _NEEDED.items():
        variable = join(prefix, field)
        if not env.raw(variable).strip() and variable not in env.faulty:
            env.blame(variable, "is not set, and a long connection needs it", remedy)


def _check_id(env: Environment, variable: str, by_id: dict[str, str]) -> None:
    app_id = env.raw(variable).strip()
    first = by_id.setdefault(app_id, variable) if app_id else variable
    if first != variable:
        env.blame(
            variable,
            f"is the same as {first}: each event would come to either of the two, at random",
            f"name each Feishu app once; for more connections raise {first.removesuffix('APP_ID')}CONNECTIONS",
        )


def _check_unused(env: Environment, prefix: str, mode: str) -> None:
    for variable in (join(prefix, field) for field in _LONG_ONLY):
        if env.raw(variable).strip():
            env.blame(
                variable,
                "is only for an app whose events come over long connections",
                f"set {mode}={LONG_CONNECTION}, or unset it",
            )
