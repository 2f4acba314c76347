"""`check`: are the settings good, what do they amount to, does every sink answer."""

import asyncio
from collections.abc import Sequence

import click
import orjson
from tabulate import tabulate

from router.commands import env_file_option, environ_of
from router.commands.overview import Overview, overview
from router.settings import Fault, Settings, SettingsError, load
from sinks.probe import Probe, probe_all


@click.command()
@env_file_option
@click.option("--connect", is_flag=True, help="Open each sink and say whether it answers.")
@click.option(
    "--timeout",
    "seconds",
    type=click.FloatRange(min=0.1, max=600),
    default=15.0,
    show_default=True,
    help="Seconds that a sink may take to answer.",
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
    Exit status: 0 good, 1 a sink doesn't answer, 2 faults in the settings.
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
    probes, remarks = _connect(settings, seconds) if connect else ([], [])
    shown = overview(settings)
    shown = shown._replace(warnings=[*shown.warnings, *remarks])
    click.echo(_json(shown, probes) if as_json else _text(shown, probes))
    if not all(probe.ok for probe in probes):
        ctx.exit(1)


def _check_certificate(settings: Settings) -> None:
    """Load what the webhook port would serve with. Raises SettingsError."""
    if settings.tls.cert_file is None:
        return
    from router.ingress.tls import TlsError, server_context  # noqa: PLC0415 - only where TLS is on

    try:
        server_context(settings.tls)
    except TlsError as error:
        raise SettingsError([Fault("FER_TLS__CERT_FILE", str(error).removeprefix("TLS: "))]) from None


def _connect(settings: Settings, seconds: float) -> tuple[Sequence[Probe], Sequence[str]]:
    """Each sink's answer; and what libraries said meanwhile, each thing once."""
    from router.telemetry.libraries import VALUE, Remark, heard  # noqa: PLC0415

    remarks: dict[str, None] = {}

    def hear(remark: Remark) -> None:
        if VALUE not in remark.text:  # else it says little, and the answer of the sink more
            remarks[f"{remark.library} says: {remark.text}"] = None

    with heard(hear):
        return asyncio.run(probe_all(settings.sinks, seconds)), list(remarks)


def _json(shown: Overview, probes: Sequence[Probe]) -> bytes:
    document = {
        "ok": all(probe.ok for probe in probes),
        "faults": [],
        "warnings": shown.warnings,
        "place": dict(shown.place),
        "apps": [app._asdict() for app in shown.apps],
        "sinks": [sink._asdict() for sink in shown.sinks],
        "routes": [route._asdict() for route in shown.routes],
        "connect": [probe._asdict() for probe in probes],
        "settings": [row._asdict() for row in shown.settings],
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2)


def _text(shown: Overview, probes: Sequence[Probe]) -> str:
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
    if probes:
        parts.append(_table("Answers", ["sink", "answers", "ms", "why not"], [_answer(probe) for probe in probes]))
    parts += [f"Note: {warning}" for warning in shown.warnings]
    if all(probe.ok for probe in probes):
        parts.append("The settings are good." if not probes else "The settings are good, and every sink answers.")
    else:
        parts.append("The settings are good, but not every sink answers. The router would start, and wait for those.")
    return "\n\n".join(parts)


def _table(title: str, headers: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    return f"{title}\n{tabulate(rows, headers=headers, tablefmt='simple', disable_numparse=True)}"


def _answer(probe: Probe) -> tuple[str, str, str, str]:
    return probe.sink, "yes" if probe.ok else "NO", f"{probe.milliseconds:.0f}", probe.detail
