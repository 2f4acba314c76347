"""`simulate`: be Feishu, for whoever wants to try out a receiver: pushes to a webhook, and takes long connections."""

import asyncio
import contextlib
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import orjson

from router.commands.documents import document_options, documents
from router.commands.numbers import Number
from router.settings.address import Address, parse_address
from router.settings.faults import did_you_mean
from router.simulator import telling
from router.simulator.control import PREFIX, Control
from router.simulator.endpoint import App
from router.simulator.faults import FAULTS
from router.simulator.feed import feed
from router.simulator.notices import Notices
from router.simulator.simulator import APP_ID, APP_SECRET, Behaviour, Simulator
from sinks.settings import parse_seconds

LISTEN = "127.0.0.1:7777"
MIN_SECRET = 16
DEFAULT_RATE = 1.0
TICK_SECONDS = 0.2


@dataclass(frozen=True)
class Plan:
    """What a run is. address: where to listen, None: nowhere; count: None for no end; seconds: after which it ends."""

    app: App
    address: Address | None
    behaviour: Behaviour
    faults: Sequence[tuple[str, float | None]]
    documents: Sequence[dict[str, Any]]
    count: int | None
    rate: float
    at_once: int
    out_of_order: float
    seconds: float | None

    @property
    def waits(self) -> bool:
        """Whether nothing is pushed before somebody has connected."""
        return not self.app.webhook and self.count != 0


def _seconds(_ctx: click.Context, _param: click.Parameter, value: str | None) -> float | None:
    try:
        seconds = None if value is None else float(parse_seconds(value))
    except (ValueError, TypeError):
        seconds = -1.0
    if seconds is not None and not 0 < seconds < 1e9:
        raise click.BadParameter("expected a time such as 90s, 10m or 2h")
    return seconds


def _address(_ctx: click.Context, _param: click.Parameter, value: str | None) -> Address | None:
    try:
        return None if value is None else parse_address(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _secret(_ctx: click.Context, _param: click.Parameter, path: Path | None) -> str:
    try:
        text = "" if path is None else path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise click.BadParameter(f"{path} can't be read as text") from None
    if path is not None and not text:
        raise click.BadParameter(f"{path} is empty")
    return text.splitlines()[0].strip() if text else ""


def _faults(_ctx: click.Context, _param: click.Parameter, values: Sequence[str]) -> list[tuple[str, float | None]]:
    found: list[tuple[str, float | None]] = []
    for value in values:
        name, equals, share = value.partition("=")
        if name not in FAULTS:
            hint = did_you_mean(name, FAULTS) or f"the faults are {', '.join(FAULTS)}"
            raise click.BadParameter(f"there is no fault {name!r}; {hint}")
        try:
            found.append((name, float(share) if equals else None))
        except ValueError:
            raise click.BadParameter(f"{value}: the share must be a number between 0 and 1") from None
        if not 0 <= (found[-1][1] or 0) <= 1:
            raise click.BadParameter(f"{value}: the share must be a number between 0 and 1")
    return found


def _file_option(name: str, words: str) -> Callable[[Callable[..., object]], Callable[..., object]]:
    path = click.Path(exists=True, dir_okay=False, path_type=Path)
    return click.option(name, type=path, metavar="PATH", callback=_secret, help=words)


def _share_option(name: str, words: str) -> Callable[[Callable[..., object]], Callable[..., object]]:
    return click.option(name, type=Number(0, 1), default=0.0, metavar="SHARE", help=words)


@click.command()
@click.option("--webhook", metavar="URL", help="Push events to this address, after a challenge.")
@_file_option("--encrypt-key-file", "The receiver's Encrypt Key. Without one, pushes are plain and unsigned.")
@_file_option("--token-file", "The receiver's verification token.")
@click.option(
    "--listen", metavar="HOST:PORT", callback=_address, help=f"Take long connections. Without --webhook: {LISTEN}."
)
@click.option("--app-id", default=APP_ID, show_default=True, metavar="ID", help="The app that events are of.")
@_file_option("--app-secret-file", "Its secret. Default: one for playing, which is printed.")
@document_options
@click.option(
    "--count", type=click.IntRange(min=0), help="How many events; 0: only those that scripts push. Default: one each."
)
@click.option("--rate", type=Number(min=0.001), help="Events a second. Default: no limit; with --for alone: 1.")
@click.option(
    "--at-once",
    type=click.IntRange(1, 10_000),
    default=16,
    show_default=True,
    help="So many under way before the next.",
)
@_share_option("--duplicates", "Which share is pushed again after a 200.")
@_share_option("--out-of-order", "Which share is overtaken by others.")
@click.option(
    "--ordered", multiple=True, metavar="TYPE", help="Push each of this type only when the one before has ended."
)
@click.option(
    "--compress", type=Number(1, 1e9), default=1.0, metavar="FACTOR", help="Wait so much less before retries."
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="NAME[=SHARE]",
    callback=_faults,
    help="Once, or for a share: --list-faults names them.",
)
@click.option("--seed", type=int, default=0, help="The same seed: the same choices.")
@click.option("--for", "seconds", metavar="TIME", callback=_seconds, help="End after 90s, 10m, 2h.")
@click.option("--json", "as_json", is_flag=True, help="The account as JSON, every event included.")
@click.option("--list-faults", is_flag=True, help="List the faults and end.")
@click.pass_context
def command(ctx: click.Context, /, types: Sequence[str], file: Path | None, **given: Any) -> None:
    """Be Feishu: push events to a webhook, or take long connections and push over them, as Feishu does.

    Answers must come within 3 s; what fails is pushed again after 15 s, 5 min, 1 h and 6 h, and then lost. Ends with an
    account of everything. While it listens, POST /simulate/… drives it (see docs/simulate.md).

    \b
    A webhook, with the receiver's key and token; a bad day:
      feishu-event-router simulate --webhook http://localhost:3000/event --encrypt-key-file key --token-file token
      feishu-event-router simulate --webhook http://localhost:3000/event --count 1000 --duplicates 0.1 --compress 1000
    Long connections: prints the domain, app id and secret to use
      feishu-event-router simulate
      feishu-event-router simulate --count 10000 --rate 200 --fault drop-mid-frame=0.001 --fault late-pong

    \b
    Exit status: 0 all well, 1 something was lost, refused or answered late, or nobody connected, 2 wrong usage.
    """
    if given["list_faults"]:
        for name, (moment, words) in FAULTS.items():
            click.echo(f"{name:<22} {moment.value}: {words}")
        return
    plan = _plan(documents(types, file), given)
    simulator, seconds = asyncio.run(_simulate(plan))
    report = simulator.report()
    if given["as_json"]:
        click.echo(orjson.dumps(telling.document(simulator, events=True)))
    else:
        for line in (*telling.lines(simulator), *telling.summary(report, seconds)):
            click.echo(line)
    alone = plan.waits and not simulator.long.connected
    if alone:
        click.echo("Nobody connected, so nothing was pushed.", err=True)
    ctx.exit(0 if report.good and not alone else 1)


def _plan(chosen: Sequence[dict[str, Any]], given: dict[str, Any]) -> Plan:
    """Raises click.UsageError."""
    webhook, address = given["webhook"] or "", given["listen"]
    if webhook and not webhook.startswith(("http://", "https://")):
        raise click.UsageError(f"--webhook must begin with http:// or https://, not {webhook!r}")
    if not webhook and address is None:
        address = parse_address(LISTEN)
    secret = given["app_secret_file"]
    if secret and len(secret) < MIN_SECRET:
        raise click.UsageError(f"the secret in --app-secret-file must have {MIN_SECRET} characters or more")
    if address is not None and not address.loopback and not secret:
        raise click.UsageError(
            f"to listen on {address}, beyond this machine, give a secret of your own with --app-secret-file"
        )
    if not webhook and (given["encrypt_key_file"] or given["token_file"]):
        raise click.UsageError(
            "--encrypt-key-file and --token-file are for --webhook; over long connections events come plain"
        )
    seconds, count = given["seconds"], given["count"]
    endless = count is None and seconds is not None
    behaviour = Behaviour(given["seed"], given["compress"], frozenset(given["ordered"]), given["duplicates"])
    return Plan(
        app=App(
            given["app_id"],
            (secret or APP_SECRET) if address is not None else "",
            webhook,
            given["encrypt_key_file"],
            given["token_file"],
        ),
        address=address,
        behaviour=behaviour,
        faults=given["faults"],
        documents=chosen,
        count=None if endless else len(chosen) if count is None else count,
        rate=given["rate"] or (DEFAULT_RATE if endless else 0.0),
        at_once=given["at_once"],
        out_of_order=given["out_of_order"],
        seconds=seconds,
    )


def _say_where(plan: Plan, domain: str) -> None:
    if plan.address is not None and plan.address.everywhere:
        domain = f"http://{socket.gethostname()}:{domain.rpartition(':')[2]}"
    secret = "the one in --app-secret-file" if plan.app.app_secret != APP_SECRET else APP_SECRET
    click.echo(f"Listening. Domain: {domain}   App id: {plan.app.app_id}   App secret: {secret}", err=True)
    click.echo(f"To drive it: POST {domain}{PREFIX}/push, …/fault; GET …/report", err=True)


async def _simulate(plan: Plan) -> tuple[Simulator, float]:
    """Run the plan to its end, or until Ctrl-C."""
    with _progress(plan.count) as (notice, advance):
        simulator = Simulator([plan.app], plan.behaviour, notice=notice)
        for name, share in plan.faults:
            simulator.faults.order(name) if share is None else simulator.faults.share(name, share)
        async with _running(simulator, plan):
            begun = time.monotonic()
            work = asyncio.ensure_future(_work(simulator, plan))
            stopped = asyncio.Event()
            _on_signals(stopped.set)
            stopping = asyncio.ensure_future(stopped.wait())
            ends = begun + plan.seconds if plan.seconds is not None else float("inf")
            while not (work.done() or stopping.done()) and time.monotonic() < ends:
                await asyncio.wait([work, stopping], timeout=TICK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                advance(simulator.account.ended)
            stopping.cancel()
            if not work.done():
                work.cancel()
                await simulator.quiet()
            with contextlib.suppress(asyncio.CancelledError):
                await work
            advance(simulator.account.ended)
            return simulator, simulator.seconds


@contextlib.asynccontextmanager
async def _running(simulator: Simulator, plan: Plan) -> AsyncIterator[None]:
    """Raises click.ClickException when the address can't be had."""
    try:
        if plan.address is not None:
            simulator.pages = Control(simulator, plan.address).handle
            try:
                domain = await simulator.start(plan.address.host or None, plan.address.port)
            except OSError as error:
                raise click.ClickException(f"can't listen on {plan.address}: {error.strerror or error}") from None
            _say_where(plan, domain)
        yield
    finally:
        await simulator.close()


async def _work(simulator: Simulator, plan: Plan) -> None:
    """Challenge, wait for a connection, push, wait for the end of every event."""
    if plan.app.webhook:
        wrong = await simulator.challenge()
        if wrong:
            raise click.ClickException(f"Feishu would not take {plan.app.webhook}: {wrong}")
    elif plan.waits:
        simulator.notice("waiting for a connection")
        await simulator.connected()
    await simulator.run(
        feed(plan.documents, plan.app.app_id, plan.count, plan.out_of_order, plan.behaviour.seed),
        rate=plan.rate,
        at_once=plan.at_once,
    )
    if plan.count == 0:
        await asyncio.Event().wait()
    await simulator.settled()


def _on_signals(stop: Callable[[], None]) -> None:
    """The first Ctrl-C asks for the report, the second ends it at once."""
    loop = asyncio.get_running_loop()

    def stopping(number: int) -> None:
        loop.remove_signal_handler(number)
        stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping, number)


@contextlib.contextmanager
def _progress(count: int | None) -> Iterator[tuple[Callable[[str], None], Callable[[int], None]]]:
    """(tell, advance): lines for what is notable, and a bar where there is a terminal and enough to do."""
    started = time.monotonic()
    tty = sys.stderr.isatty()

    def show(line: str) -> None:
        # color: else NO_COLOR would take out what clears the bar's line
        clear = "\r\x1b[K" if tty else ""
        click.echo(f"{clear}{time.monotonic() - started:8.1f} s  {line}", err=True, color=tty)

    notices = Notices(show, time.monotonic)
    if not tty or not count or count <= telling.FEW:
        yield notices, lambda _: None
        return
    with click.progressbar(length=count, label="Pushing", file=sys.stderr) as bar:
        yield notices, lambda ended: bar.update(ended - bar.pos)
