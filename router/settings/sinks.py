"""What sinks say of each other: where their dead letters go, and the names that they had before."""

from collections.abc import Collection, Mapping

from router.settings.environment import Environment
from router.settings.faults import did_you_mean
from router.settings.model import PROGRAMS
from router.settings.names import NAME, NAME_RULE, SINKS, join, sink_prefix

TAKEN = "ingress"
"""Whose dead letters are the pushes that were not understood (the journal calls it so); no sink's."""


def check_sinks(env: Environment, sinks: Collection[str]) -> None:
    """Blame each name, DEAD_LETTERS and WAS of these sinks that can't be meant, also of those that have other faults."""
    if TAKEN in sinks:
        env.blame(SINKS, f"names {TAKEN!r}, which stands for pushes that were not understood", "choose another name")
    _check_dead_letters(env, sinks, _said(env, sinks, "dead_letters"))
    _check_was(env, sinks, _said(env, sinks, "was"))
    of_programs = [name for name, type_ in _said(env, sinks, "type").items() if type_ == PROGRAMS]
    _check_app_ids(env, _said(env, of_programs, "app_id"))


def _said(env: Environment, sinks: Collection[str], field: str) -> dict[str, str]:
    texts = {name: env.raw(_variable(name, field)).strip() for name in sinks}
    return {name: text for name, text in texts.items() if text}


def _variable(sink: str, field: str) -> str:
    return join(sink_prefix(sink), field)


def _check_dead_letters(env: Environment, sinks: Collection[str], said: Mapping[str, str]) -> None:
    for name, to in said.items():
        variable = _variable(name, "dead_letters")
        others = [other for other in sinks if other != name]
        another = f"name another sink: {', '.join(others)}" if others else f"add a sink for them to {SINKS}"
        if to == name:
            env.blame(variable, "names the sink itself, which doesn't take them", another)
        elif to not in sinks:
            env.blame(variable, f"names {to!r}, and there is no such sink", did_you_mean(to, others) or another)
        elif to in said:
            env.blame(
                variable,
                f"names {to}, whose own dead letters go to {said[to]}: copies of copies would go round",
                f"unset {_variable(to, 'dead_letters')}, or name a sink without one",
            )


def _check_was(env: Environment, sinks: Collection[str], said: Mapping[str, str]) -> None:
    heirs: dict[str, str] = {}
    for name, was in said.items():
        variable = _variable(name, "was")
        unset = f"unset {variable}"
        if was == name:
            env.blame(variable, "names the sink itself", unset)
        elif was in sinks:
            problem = f"names {was}, which is still a sink and keeps its own place"
            env.blame(variable, problem, f"{unset}, or take {was} out of {SINKS}")
        elif was == TAKEN or not NAME.fullmatch(was):
            env.blame(variable, f"has the name {was!r}, which no sink can have had; {NAME_RULE}")
        elif heirs.setdefault(was, name) != name:
            env.blame(variable, f"names {was}, whose place {heirs[was]} takes over", unset)


def _check_app_ids(env: Environment, said: Mapping[str, str]) -> None:
    """An id and its secret say which sink a program wants: two can't have the same."""
    owners: dict[str, str] = {}
    for name, app_id in said.items():
        owner = owners.setdefault(app_id, name)
        if owner != name:
            problem = f"is the same as {_variable(owner, 'app_id')}, and tells their programs apart"
            env.blame(_variable(name, "app_id"), problem, "make one with: echo cli_$(openssl rand -hex 8)")
