"""`check`: are the settings good, what do they amount to, does every sink answer."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

import click
import orjson
from tabulate import tabulate

from router.commands import env_file_option, environ_of
from router.commands.numbers import Number
from router.commands.overview import Overview, overview
from router.ingress.long_connection.status import AppProbe
from router.settings import Fault, Settings, SettingsError, load
from router.settings.apps import LONG_CONNECTION
from router.settings.model import TlsSettings
from sinks.probe import Probe, probe_all


class Answers(NamedTuple):
    """Who answered: Feishu for each app with long connections, each sink."""

    apps: Sequence[AppProbe] = ()
    sinks: Sequence[Probe] = ()

    @property
    def good(self) -> bool:
        """Whether everybody did."""
        return not self.silent

    @property
    def silent(self) -> Sequence[str]:
        """Who did not, or said no."""
        return [
            *(f"Feishu for {probe.app}" for probe in self.apps if not probe.ok),
            *(f"sink {probe.sink}" for probe in self.sinks if not probe.ok),
        ]


@click.command()
@env_file_option
@click.option(
    "--connect",
    is_flag=True,
    help="Open each sink, ask Feishu for long connections (none is made), and say who answers.",
)
@click.option(
    "--timeout",
    "seconds",
    type=Number(min=0.1, max=600),
    default=15.0,
    show_default=True,
    help="Seconds that each may take to answer.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
@click.pass_context
def command(ctx: click.Context, connect: bool, seconds: float, as_json: bool) -> None:
    """Say whether the settings are good, and what they amount to. Starts nothing; shows no secret.

    \b
    All faults at once, each with the variable's name:
      feishu-event-router check
    The settings of a file, and whether each sink can be reached:
      feishu-event-router check --env-file prod.env --connect
    For a pipeline:
      feishu-event-router check --json | jq .faults

    \b
    Exit status: 0 good, 1 a sink or Feishu doesn't answer, 2 faults in the settings.
    """
    try:
        settings = load(environ_of(ctx))
        _check_certificate(settings)
    except SettingsError as error:
        if not as_json:
            raise
        click.echo(
            orjson.dumps({"ok": False, "faults": [f._asdict() for f in error.faults]}, option=orjson.OPT_INDENT_2)
        )
        ctx.exit(2)
    answers, remarks = _connect(settings, seconds) if connect else (Answers(), [])
    shown = overview(settings)
    shown = shown._replace(warnings=[*shown.warnings, *remarks])
    click.echo(_json(shown, answers) if as_json else _text(shown, answers))
    if not answers.good:
        ctx.exit(1)


def _check_certificate(settings: Settings) -> None:
    """Load what the ports would serve with. Raises SettingsError."""
    served = {"FER_TLS__CERT_FILE": settings.tls}
    if settings.serves_programs:
        served["FER_WS__TLS__CERT_FILE"] = settings.ws.tls
    faults = [fault for variable, tls in served.items() if tls.cert_file and (fault := _try(variable, tls))]
    if faults:
        raise SettingsError(faults)


def _try(variable: str, tls: TlsSettings) -> Fault | None:
    from router.ingress.tls import TlsError, server_context  # noqa: PLC0415 - only where TLS is on

    try:
        server_context(tls)
    except TlsError as error:
        return Fault(variable, str(error).removeprefix("TLS: "))
    return None


def _connect(settings: Settings, seconds: float) -> tuple[Answers, Sequence[str]]:
    """The answers; and what libraries said meanwhile, each thing once."""
    from router.telemetry.libraries import VALUE, Remark, heard  # noqa: PLC0415

    remarks: dict[str, None] = {}

    def hear(remark: Remark) -> None:
        if VALUE not in remark.text:  # else it says little, and the answer of the sink more
            remarks[f"{remark.library} says: {remark.text}"] = None

    with heard(hear):
        return asyncio.run(_asked(settings, seconds)), list(remarks)


async def _asked(settings: Settings, seconds: float) -> Answers:
    apps: Sequence[AppProbe] = ()
    if any(app.mode == LONG_CONNECTION for app in settings.apps.values()):
        from router.ingress.long_connection.probe import probe_apps  # noqa: PLC0415 - loads an HTTP client

        apps = await probe_apps(settings.apps, seconds)
    return Answers(apps, await probe_all(settings.sinks, seconds))


def _json(shown: Overview, answers: Answers) -> bytes:
    document = {
        "ok": answers.good,
        "faults": [],
        "warnings": shown.warnings,
        "place": dict(shown.place),
        "apps": [app._asdict() for app in shown.apps],
        "sinks": [sink._asdict() for sink in shown.sinks],
        "routes": [route._asdict() for route in shown.routes],
        "feishu": [probe._asdict() for probe in answers.apps],
        "connect": [probe._asdict() for probe in answers.sinks],
        "settings": [row._asdict() for row in shown.settings],
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2)


def _text(shown: Overview, answers: Answers) -> str:
    parts = [
        tabulate(shown.place, tablefmt="plain"),
        _table(
            "Apps",
            ["app", "webhook", "long connections", "encrypt key", "verification token", "app id"],
            [(app.name or "-", app.path or "-", app.long_connection or "-", *app[3:]) for app in shown.apps],
        ),
        _table("Sinks", ["sink", "type", "to", "events", "order", "retry"], shown.sinks),
        _table("Routes", ["event type", "sinks"], [(r.type, ", ".join(r.sinks) or "NO SINK") for r in shown.routes]),
    ]
    for what, probes in (("app at Feishu", answers.apps), ("sink", answers.sinks)):
        if probes:
            parts.append(_table("Answers", [what, "answers", "ms", "why not"], [_answer(probe) for probe in probes]))
    parts += [f"Note: {warning}" for warning in shown.warnings]
    if silent := answers.silent:
        parts.append(
            f"The settings are good, but these don't answer as they should: {', '.join(silent)}. "
            "The router would start, and wait for them."
        )
    elif answers.apps or answers.sinks:
        everybody = "Feishu and every sink answer" if answers.apps else "every sink answers"
        parts.append(f"The settings are good, and {everybody}.")
    else:
        parts.append("The settings are good.")
    return "\n\n".join(parts)


def _table(title: str, headers: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    return f"{title}\n{tabulate(rows, headers=headers, tablefmt='simple', disable_numparse=True)}"


def _answer(probe: Probe | AppProbe) -> tuple[str, str, str, str]:
    return probe[0], "yes" if probe.ok else "NO", f"{probe.milliseconds:.0f}", probe.detail
