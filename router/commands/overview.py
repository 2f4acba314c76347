"""What settings amount to: apps and their paths, sinks, which event goes where. For `check` and for the start."""

from collections.abc import Sequence
from typing import NamedTuple

from router.dispatch.routes import Routes, letters_of
from router.feishu.catalogue import matches_any
from router.settings.address import parse_address
from router.settings.apps import LONG_CONNECTION
from router.settings.describe import Row, describe, keys_of
from router.settings.model import AppSettings, Settings, WsSettings
from sinks import registry
from sinks.settings import SinkSettings

SHOWN_TYPES = (
    "corehr.approval_groups.updated_v2",
    "corehr.department.updated_v2",
    "corehr.employee.domain_event_v2",
    "corehr.job_change.status_updated_v2",
    "corehr.process.approver.updated_v2",
)
WEBHOOK_PATH = "/webhook/event"


class AppRow(NamedTuple):
    """One app; keys and tokens in words. path, long_connection: the roads that its events come by, "" for one they don't."""

    name: str
    path: str
    long_connection: str
    encrypt_key: str
    verification_token: str
    app_id: str


class SinkRow(NamedTuple):
    """One sink, each thing in one short line."""

    name: str
    type: str
    to: str
    events: str
    ordering: str
    retry: str


class Route(NamedTuple):
    """The sinks that want an event type."""

    type: str
    sinks: Sequence[str]


class Overview(NamedTuple):
    """All of it; nothing in it is secret."""

    place: Sequence[tuple[str, str]]
    apps: Sequence[AppRow]
    sinks: Sequence[SinkRow]
    routes: Sequence[Route]
    warnings: Sequence[str]
    settings: Sequence[Row]


def overview(settings: Settings) -> Overview:
    """What these settings amount to."""
    routes = routes_of(settings)
    return Overview(
        place=list(_place(settings).items()),
        apps=[_app_row(name, app) for name, app in settings.apps.items()],
        sinks=[_sink_row(name, sink, letters_of(name, settings.sinks)) for name, sink in settings.sinks.items()],
        routes=routes,
        warnings=_warnings(settings, routes),
        settings=describe(settings),
    )


def webhook_path(app: str) -> str:
    """The path that Feishu pushes an app's events to."""
    return f"{WEBHOOK_PATH}/{app}" if app else WEBHOOK_PATH


def _app_row(name: str, app: AppSettings) -> AppRow:
    path = webhook_path(name) if app.has_webhook else ""
    long = f"{app.connections} to {app.domain}" if app.mode == LONG_CONNECTION else ""
    return AppRow(name, path, long, *keys_of(app), app.app_id or "any")


def routes_of(settings: Settings) -> list[Route]:
    """Where the sample types go, and every type that an EVENTS setting spells out."""
    patterns = [pattern.removeprefix("!").strip() for sink in settings.sinks.values() for pattern in sink.events]
    spelled_out = {pattern for pattern in patterns if not any(c in pattern for c in "*?[")}
    sinks = settings.sinks
    routes = {name: Routes(sink, letters_of(name, sinks)) for name, sink in sinks.items()}
    return [
        Route(type_, [name for name, these in routes.items() if these.wants_type(type_)])
        for type_ in sorted({*SHOWN_TYPES, *spelled_out})
    ]


def _place(settings: Settings) -> dict[str, str]:
    scheme = "https" if settings.tls.cert_file else "http"
    programs = {"programs": settings.ws.domain(_reachable(settings.ws.listen))} if settings.serves_programs else {}
    return {
        "webhook": f"{scheme}://{_reachable(settings.listen)}",
        "admin": f"http://{_reachable(settings.admin.listen)}" if settings.admin.listen else "off",
        **programs,
        "data": str(settings.data_dir.absolute()),
        "journal": f"settled events kept {_duration(settings.journal.retention_seconds)}, "
        f"at most {_size(settings.journal.max_bytes)}; "
        f"ids remembered {_duration(settings.journal.dedupe_seconds)}",
    }


def _reachable(listen: str) -> str:
    address = parse_address(listen)
    return f"{address} (every interface)" if address.everywhere else str(address)


def _sink_row(name: str, sink: SinkSettings, letters: frozenset[str]) -> SinkRow:
    retry = f"{sink.retry.max_attempts} attempts, {_duration(sink.retry.max_age_seconds)}"
    to = registry.find(sink.type).describe(sink)
    return SinkRow(name, sink.type, to, _events(sink, letters), sink.ordering, retry)


def _events(sink: SinkSettings, letters: frozenset[str]) -> str:
    """`corehr.*, of apps cli_a1`, or `dead letters of iam: *`."""
    further = [("apps", sink.apps), ("tenants", sink.tenants), ("subjects", sink.subjects)]
    conditions = [",".join(sink.events), *(f"of {what} {','.join(globs)}" for what, globs in further if globs != ["*"])]
    whose = f"dead letters of {','.join(sorted(letters))}: " if letters else ""
    return whose + ", ".join(conditions)


def _warnings(settings: Settings, routes: Sequence[Route]) -> list[str]:
    notes = []
    if any(app.open_to_all for app in settings.apps.values()):
        notes.append(
            "without a key or a token pushes are taken from anyone on this machine; only loopback is listened on."
        )
    if unwanted := [route.type for route in routes if not route.sinks]:
        notes.append(f"no sink wants {', '.join(unwanted)}; such events are counted, not delivered.")
    for name, sink in settings.sinks.items():
        notes += [f"of sink {name}: {remark}." for remark in registry.find(sink.type).remarks(sink)]
    if not settings.serves_programs and settings.ws != WsSettings():
        notes.append("FER_WS__… is for programs, but no sink is of type feishu_ws: that port stays closed.")
    if settings.serves_programs and not _private(settings.ws):
        notes.append(
            "programs send their secret in clear to FER_WS__LISTEN unless something in front of it speaks TLS; "
            "FER_WS__TLS__CERT_FILE, or FER_WS__PUBLIC_URL=wss://…, says that it is taken care of."
        )
    return notes + [
        f"{pattern} of sink {name} matches no event type known to this version; is it spelled right?"
        for name, sink in settings.sinks.items()
        for pattern in sink.events
        if not matches_any(pattern.removeprefix("!").strip())
    ]


def _private(ws: WsSettings) -> bool:
    """Whether the programs' port is on this machine only, or there is TLS, here or in front."""
    return parse_address(ws.listen).loopback or ws.tls.cert_file is not None or ws.public_url.startswith("wss:")


def _duration(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"


def _size(count: int) -> str:
    for power, unit in ((30, "GiB"), (20, "MiB"), (10, "KiB")):
        if count >= 1 << power:
            return f"{count / (1 << power):.4g} {unit}"
    return f"{count} B"
