"""`send`: push sample events at a running router, the way Feishu does."""

import asyncio
import itertools
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click
from pydantic import SecretStr

from router.commands import env_file_option, environ_of
from router.commands.documents import document_options, documents
from router.commands.numbers import Number
from router.feishu import push, samples
from router.settings import Settings, load
from router.settings.address import parse_address
from router.settings.faults import did_you_mean
from router.settings.model import AppSettings
from router.simulator.posting import NO_ANSWER, post, session

if TYPE_CHECKING:
    import aiohttp

WEBHOOK_PATH = "/webhook/event"
TIMEOUT_SECONDS = 10.0
FEW = 20
DIFFERENT_KEYS = (
    "401: the router has other keys than this `send`. Give it the router's settings: FER_APP__ENCRYPT_KEY, "
    "FER_APP__VERIFICATION_TOKEN and FER_APP__APP_ID (with --env-file, say), and with several apps the right --app."
)


class Target(NamedTuple):
    """Where to push, and as which app. verify: whether TLS certificates are checked."""

    url: str
    encrypt_key: str
    token: str
    app_id: str
    verify: bool


class Pushed(NamedTuple):
    """One push and its answer. status: HTTP's, or a word when there was none."""

    type: str
    id: str
    status: int | str
    milliseconds: float
    body: bytes = b""


class Pace(NamedTuple):
    """How fast. rate: events a second, 0 for no limit; repeat: further pushes of each event; concurrency: at once."""

    rate: float
    repeat: int
    concurrency: int


@click.command()
@env_file_option
@document_options
@click.option(
    "--count", type=click.IntRange(min=1), help="How many events, taking the types in turn. Default: one each."
)
@click.option("--rate", type=Number(min=0.001), help="Events a second. Default: no limit.")
@click.option("--repeat", type=click.IntRange(min=0), default=0, help="Push each event again so often, as retries do.")
@click.option(
    "--concurrency", type=click.IntRange(1, 1000), default=1, show_default=True, help="Pushes under way at once."
)
@click.option("--challenge", is_flag=True, help="Send a challenge instead, as Feishu does when the address is saved.")
@click.option("--app", "app_name", metavar="NAME", help="Which app of FER_APPS to push as.")
@click.option("--url", help="Where to push. Default: where the settings say that the router listens.")
@click.pass_context
def command(
    ctx: click.Context, /, types: Sequence[str], file: Path | None, app_name: str | None, url: str | None, **how: Any
) -> None:
    """Push sample events at a running router, encrypted and signed as Feishu does, with the keys of the settings.

    \b
    One of each of five types:
      feishu-event-router send
    Another type; the same event three times; a load:
      feishu-event-router send --type contact.user.created_v3
      feishu-event-router send --type corehr.department.updated_v2 --repeat 2
      feishu-event-router send --count 10000 --rate 500 --concurrency 32

    \b
    Exit status: 0 every answer was 200, 1 not, 2 wrong settings or usage.
    """
    target = _target(load(environ_of(ctx)), app_name, url)
    if how["challenge"]:
        ctx.exit(0 if asyncio.run(_challenge(target)) else 1)
    chosen = documents(types, file)
    count = how["count"] or len(chosen)
    pace = Pace(how["rate"] or 0.0, how["repeat"], how["concurrency"])
    events = (
        samples.fresh(document, time.time(), target.token, target.app_id)
        for document in itertools.islice(itertools.cycle(chosen), count)
    )
    ctx.exit(0 if _run(target, events, pace, count * (1 + pace.repeat)) else 1)


def _target(settings: Settings, name: str | None, url: str | None) -> Target:
    apps = settings.apps or {"": AppSettings()}
    if name is None and len(apps) > 1:
        raise click.UsageError(f"there are several apps; choose one with --app: {', '.join(apps)}")
    name = next(iter(apps)) if name is None else name
    if name not in apps:
        hint = did_you_mean(name, apps) or f"there are: {', '.join(apps) or 'none with a name'}"
        raise click.UsageError(f"there is no app {name!r}; {hint}")
    if url is not None and not url.startswith(("http://", "https://")):
        raise click.UsageError(f"--url must begin with http:// or https://, not {url!r}")
    app = apps[name]
    if url is None and not app.has_webhook:
        raise click.UsageError(
            f"the events of {name or 'the app'} come over long connections: there is no path to push to"
        )
    key, token = _first(app.encrypt_key), _first(app.verification_token)
    return Target(url or _own_url(settings, name), key, token, app.app_id, verify=url is not None)


def _first(secrets: Sequence[SecretStr]) -> str:
    return secrets[0].get_secret_value() if secrets else ""


def _own_url(settings: Settings, name: str) -> str:
    address = parse_address(settings.listen)
    if address.everywhere:
        address = address._replace(host="127.0.0.1")
    scheme = "https" if settings.tls.cert_file else "http"
    return f"{scheme}://{address}{WEBHOOK_PATH}{'/' + name if name else ''}"


def _run(target: Target, events: Iterator[Mapping[str, Any]], pace: Pace, total: int) -> bool:
    """Send and report; whether every answer was 200. Raises click.ClickException when nobody listens."""
    done: list[Pushed] = []
    started = time.monotonic()
    with _reporter(total) as show:

        def report(pushed: Pushed) -> None:
            if not done and pushed.status == NO_ANSWER:
                raise click.ClickException(_nobody(target, pushed))
            done.append(pushed)
            show(pushed)

        asyncio.run(_send(target, events, pace, report))
    if total > FEW:
        click.echo(_summary(done, time.monotonic() - started))
    if any(pushed.status == 401 for pushed in done):
        click.echo(DIFFERENT_KEYS, err=True)
    return all(pushed.status == 200 for pushed in done)


@contextmanager
def _reporter(total: int) -> Iterator[Callable[[Pushed], None]]:
    """A line for each push when there are few, else a progress bar (on standard error)."""
    if total <= FEW:
        yield _line
        return
    with click.progressbar(length=total, label="Pushing", file=sys.stderr) as bar:
        yield lambda _: bar.update(1)


def _line(pushed: Pushed) -> None:
    status = click.style(str(pushed.status), fg="green" if pushed.status == 200 else "red")
    click.echo(f"{pushed.type:<44} {pushed.id:<33} {status} {pushed.milliseconds:8.1f} ms")


def _summary(done: Sequence[Pushed], seconds: float) -> str:
    counts = Counter(str(pushed.status) for pushed in done)
    times = sorted(pushed.milliseconds for pushed in done)
    answers = ", ".join(f"{status}: {count:,}" for status, count in sorted(counts.items()))
    return (
        f"{len(done):,} pushes in {seconds:.1f} s ({len(done) / seconds:,.0f}/s). {answers}. "
        f"p50 {times[len(times) // 2]:.1f} ms, p99 {times[len(times) * 99 // 100]:.1f} ms."
    )


def _nobody(target: Target, pushed: Pushed) -> str:
    return (
        f"nobody answers at {target.url}: {pushed.body.decode()}\n"
        "Start the router with `feishu-event-router run`, or say with --url where it is."
    )


async def _send(
    target: Target, events: Iterator[Mapping[str, Any]], pace: Pace, report: Callable[[Pushed], None]
) -> None:
    async with session(TIMEOUT_SECONDS, verify=target.verify) as http:
        turns = _turns(pace.rate)

        async def deliver(event: Mapping[str, Any]) -> None:
            await asyncio.sleep(max(0.0, next(turns) - time.monotonic()))
            for _ in range(1 + pace.repeat):
                report(await _push(http, target, event))

        async def work() -> None:
            for event in events:  # shared: each worker takes the next one
                await deliver(event)

        await deliver(next(events))  # alone, so that a router that isn't there is noticed at once
        async with asyncio.TaskGroup() as workers:
            for _ in range(pace.concurrency):
                workers.create_task(work())


def _turns(rate: float) -> Iterator[float]:
    """When each event is due, on the monotonic clock."""
    start = time.monotonic()
    return (start + number / rate if rate else start for number in itertools.count())


async def _push(http: "aiohttp.ClientSession", target: Target, event: Mapping[str, Any]) -> Pushed:
    body, headers = push.build(dict(event), target.encrypt_key, time.time())
    type_, id_ = samples.named(event)
    return Pushed(str(type_ or "-"), str(id_ or "-"), *await post(http, target.url, body, headers))


async def _challenge(target: Target) -> bool:
    """Send a challenge and say whether its value came back. Raises click.ClickException when nobody listens."""
    body, headers, value = push.challenge(target.encrypt_key, target.token)
    async with session(TIMEOUT_SECONDS, verify=target.verify) as http:
        answer = Pushed("url_verification", "-", *await post(http, target.url, body, headers))
    if answer.status == NO_ANSWER:
        raise click.ClickException(_nobody(target, answer))
    _line(answer)
    if answer.status == 401:
        click.echo(DIFFERENT_KEYS, err=True)
    echoed = push.echoes(answer.body, value)
    click.echo("The value came back." if echoed else "The value did not come back: Feishu would not take this address.")
    return echoed and answer.status == 200
