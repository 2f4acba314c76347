"""Environment → Settings, or everything that is wrong with it."""

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import TypeVar

from pydantic import ValidationError

from router.settings.address import Address, collide, parse_address
from router.settings.apps import check_apps
from router.settings.environment import Environment, Tree
from router.settings.faults import Fault, did_you_mean, nearest
from router.settings.files import read_value
from router.settings.model import PROGRAMS, AdminSettings, AppSettings, Settings, WsSettings
from router.settings.names import APPS, PREFIX, SINKS, app_prefix, join, leaves, sink_prefix
from router.settings.sections import Sections
from router.settings.sinks import check_sinks
from router.settings.translate import report
from sinks import registry
from sinks.contract import AnySinkType
from sinks.settings import Section, SinkSettings

SectionT = TypeVar("SectionT", bound=Section)
DEFAULT_SINK = "files"
ROOT_SKIP = frozenset({"apps", "sinks"})


def load(environ: Mapping[str, str], read_file: Callable[[str], str] = read_value) -> Settings:
    """The settings that these variables give; see `docs/settings.md`. Raises SettingsError with every fault at once."""
    return read_sections(environ, read_file).settings()


def read_sections(
    environ: Mapping[str, str], read_file: Callable[[str], str] = read_value, unread: Collection[str] = ()
) -> Sections:
    """The same section by section, the faulty ones beside the good ones. Raises nothing.

    unread: variables that are there, but whose values are not known; nothing is said of what only they would settle.
    """
    env = Environment(environ, read_file, unread)
    root, tree = _section(env, Settings, PREFIX, ROOT_SKIP)
    apps = _apps(env)
    sinks = _sinks(env)
    if sinks is None:
        data_dir = root.data_dir if root else tree.get("data_dir", "data")
        sinks = _default_sink(env, str(data_dir))
    check_apps(env, apps)
    check_sinks(env, sinks)
    _check_addresses(env, tree, apps)
    if any(env.raw(join(sink_prefix(name), "type")).strip() == PROGRAMS for name in sinks):
        _check_programs_address(env, tree)
    env.faults.extend(filter(None, map(partial(_unknown, env), env.unknown())))
    files, contents = frozenset(env.files), dict(env.contents)
    return Sections(root, apps, sinks, sorted(env.faults), frozenset(env.faulty), files, contents)


def _section(
    env: Environment, model: type[SectionT], prefix: str, skip: frozenset[str] = frozenset()
) -> tuple[SectionT | None, Tree]:
    known = list(leaves(model, prefix, skip))
    tree = env.tree(known)
    try:
        return model.model_validate(tree), tree
    except ValidationError as error:
        report(error, model, prefix, known, env)
        return None, tree


def _apps(env: Environment) -> dict[str, AppSettings | None]:
    """The apps by name; None for one that has faults."""
    names = env.names(APPS)
    if names is None:
        return {"": _section(env, AppSettings, app_prefix(""))[0]}
    short = {leaf.variable for leaf in leaves(AppSettings, app_prefix(""))}
    short |= {variable + "_FILE" for variable in short}
    for variable in short.intersection(env.unknown()):
        named = variable.removeprefix(app_prefix("") + "__")
        better = f"{app_prefix(names[0])}__{named}" if names else ""
        env.know(variable)
        env.blame(
            variable, f"is the short form for a single app, but {APPS} names apps", better and f"did you mean {better}?"
        )
    return {name: _section(env, AppSettings, app_prefix(name))[0] for name in names}


def _sinks(env: Environment) -> dict[str, SinkSettings | None] | None:
    """The declared sinks by name, None for one that has faults; None when none are declared."""
    names = env.names(SINKS)
    return None if names is None else {name: _sink(env, name) for name in names}


def _sink(env: Environment, name: str) -> SinkSettings | None:
    prefix = sink_prefix(name)
    variable = join(prefix, "type")
    word = (env.text(variable, variable + "_FILE") or "").strip()
    if not word:
        if variable not in env.faulty:
            env.blame(variable, f"is not set, so it is not known what the sink {name} is", _one_of_types())
    elif found := _find(env, variable, word):
        try:
            return _section(env, found.settings, prefix)[0]
        except Exception as error:  # noqa: BLE001 - a plug-in's validator may raise anything, with a secret in its text
            env.blame(variable, f"names a sink whose settings class is broken: it raised {type(error).__name__}")
    for other in env.below(prefix + "__"):  # without a type it isn't known which of these exist
        env.know(other)
    return None


def _find(env: Environment, variable: str, word: str) -> AnySinkType | None:
    try:
        return registry.find(word)
    except registry.UnknownSinkTypeError:
        names = registry.names()
        env.blame(
            variable, f"names an unknown type of sink, {word!r}", did_you_mean(word, names) or _one_of_types(names)
        )
    except registry.BrokenPluginError as error:
        env.blame(variable, str(error), "mend or reinstall the package that brings it")
    return None


def _one_of_types(names: list[str] | None = None) -> str:
    return "one of " + ", ".join(names or registry.names())


def _default_sink(env: Environment, data_dir: str) -> dict[str, SinkSettings | None]:
    """What runs when no sink is declared: files below the data directory."""
    found = _find(env, SINKS, "file")
    if found is None:
        return {}
    try:
        settings = found.settings(type="file", path=f"{data_dir}/events/{{date}}/{{event_type}}.jsonl")
    except ValidationError:
        settings = None
    if settings is None or "{" in data_dir:  # a brace in it would be taken for a placeholder
        env.blame("FER_DATA_DIR", "can't hold the files of the default sink", f"choose another, or declare {SINKS}")
        return {}
    return {DEFAULT_SINK: settings}


def _check_addresses(env: Environment, tree: Tree, apps: Mapping[str, AppSettings | None]) -> None:
    """Beyond loopback every app with a path needs a key or a token, and two ports can't be one."""
    listen = _address(tree.get("listen", Settings.model_fields["listen"].default))
    admin = _address(tree.get("admin", {}).get("listen", AdminSettings.model_fields["listen"].default))
    if listen and admin and collide(listen, admin):
        env.blame("FER_ADMIN__LISTEN", f"takes the same port as FER_LISTEN, {listen}", "choose another port, or off")
    for name, app in apps.items() if listen and not listen.loopback else ():
        key, token = (join(app_prefix(name), field) for field in ("encrypt_key", "verification_token"))
        if app and app.open_to_all and not env.faulty & {key, token}:
            env.blame(
                key,
                f"is not set, and without a key or a token anyone who reaches {listen} could push events",
                f"set it or {token}, or listen on loopback, 127.0.0.1",
            )


def _check_programs_address(env: Environment, tree: Tree) -> None:
    ours = _address(tree.get("ws", {}).get("listen", WsSettings.model_fields["listen"].default))
    for variable, text in (
        ("FER_LISTEN", tree.get("listen", Settings.model_fields["listen"].default)),
        ("FER_ADMIN__LISTEN", tree.get("admin", {}).get("listen", AdminSettings.model_fields["listen"].default)),
    ):
        other = _address(text)
        if ours and other and collide(ours, other):
            env.blame("FER_WS__LISTEN", f"takes the same port as {variable}, {other}", "choose another port")


def _address(text: str) -> Address | None:
    try:
        return parse_address(text)
    except ValueError:
        return None  # switched off, or reported where it was validated


def _unknown(env: Environment, variable: str) -> Fault | None:
    """Why a variable isn't known, and what it was probably meant to be. None where that can't be told."""
    for kind, declared in (("app", APPS), ("sink", SINKS)):
        prefix = join(PREFIX, kind) + "__"
        name, separator, _ = variable.removeprefix(prefix).partition("__")
        if variable.startswith(prefix) and separator and not env.known(prefix + name + "__"):
            return _undeclared(env, variable, name, declared)
    if variable.startswith(("FER_SERVICE_", "FER_PORT")):
        return Fault(
            variable,
            "is not a setting; Kubernetes makes it for a Service named fer",
            "set enableServiceLinks: false in the pod",
        )
    return Fault(variable, "is not a setting", did_you_mean(variable, env.known()))


def _undeclared(env: Environment, variable: str, name: str, declared: str) -> Fault | None:
    if declared in env.faulty and not env.raw(declared):
        return None  # the file that declares the names can't be read: that is the one fault to mend
    names = [other.upper() for other in env.raw(declared).replace("\n", ",").split(",") if other.strip()]
    close = nearest(name, names)
    better = f"did you mean {variable.replace(name, close, 1)}?" if close else f"add {name.lower()} to {declared}"
    return Fault(variable, f"belongs to {name.lower()!r}, which {declared} does not name", better)
