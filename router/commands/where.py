"""Where the router is: the options --admin and --token-file, else its own settings; and the journal, while it isn't there."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import click

from router.commands import env_file_option, environ_of
from router.commands.client import Client, ClientError, Door, HttpClient, NoRouterError, unreachable
from router.settings import Fault, Settings, SettingsError, load, read_sections
from router.settings.address import parse_address
from router.settings.files import ValueFileError, read_value

Decorated = TypeVar("Decorated", bound=Callable[..., object])
PLACE = ("FER_DATA_DIR", "FER_ADMIN__LISTEN")
LOOPBACK = {"": "127.0.0.1", "*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - recognised, not bound


@dataclass(frozen=True)
class Where:
    """The ways to a router, the best first. settings: None when it is on another machine. why: no way, for people.
    faults: of settings that don't matter on the way; said only when nobody is there."""

    doors: Sequence[Door]
    settings: Settings | None = None
    why: str = ""
    faults: Sequence[Fault] = ()
    _open: list[Client] = field(default_factory=list)

    def router(self) -> Client:
        """The running router. Raises ClientError, SettingsError."""
        try:
            return self._reach()
        except NoRouterError as error:
            raise NoRouterError(f"{error.message}. Start the router, or say with --admin where it is") from error

    def reader(self) -> Client:
        """The running router; where there is none, the journal's file. Raises ClientError, SettingsError."""
        try:
            return self._reach()
        except NoRouterError as error:
            if self.settings is None:
                raise NoRouterError(f"{error.message}. Is --admin right, and does the router run?") from error
            from router.commands.offline import OfflineClient  # noqa: PLC0415 - only where no router runs

            try:
                client = OfflineClient(self.settings)
            except ClientError as unread:
                raise ClientError(f"{error.message}, and the journal can't be read: {unread.message}") from unread
            click.echo(f"Note: {error.message}; this is read from {self.settings.journal_file}.", err=True)
            return client

    def _reach(self) -> Client:
        if not self._open:
            try:
                self._open.append(HttpClient(_first(self.doors, self.why)))
            except NoRouterError:
                if self.faults:
                    raise SettingsError(self.faults) from None
                raise
        return self._open[0]


def _first(doors: Sequence[Door], why: str) -> Door:
    """The first door that opens. Raises NoRouterError when nobody is behind any of them, ClientError."""
    problem: ClientError = NoRouterError(why)
    for door in doors:
        try:
            door.connect().close()
        except OSError as error:
            problem = unreachable(door, error)
        else:
            return door
    raise problem


def where_options(function: Decorated) -> Decorated:
    """`--admin`, `--token-file` and `--env-file`; the command gets a `Where` as its first parameter."""

    @click.option("--admin", metavar="URL", help="Admin port of a router on another machine: http://host:9464.")
    @click.option(
        "--token-file",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="PATH",
        help="File with the admin port's token. Default: FER_ADMIN__TOKEN_FILE of the settings.",
    )
    @env_file_option
    @wraps(function)
    def called(*, admin: str | None, token_file: Path | None, **rest: Any) -> object:
        return function(where(click.get_current_context(), admin, token_file), **rest)

    return called  # type: ignore[return-value] # click takes it for what it decorates


def where(ctx: click.Context, admin: str | None, token_file: Path | None) -> Where:
    """By the options, else by the settings. Raises SettingsError, click.UsageError."""
    if admin is not None:
        token = _token(token_file) if token_file else _token_of(environ_of(ctx))
        return Where([_door(admin, token)])
    settings, faults = _place(environ_of(ctx))
    given = settings.admin.token.get_secret_value() if settings.admin.token else ""
    if not settings.admin.listen:
        return Where([], settings, "no router can be asked: FER_ADMIN__LISTEN is off", faults)
    return Where(_own_doors(settings, _token(token_file) if token_file else given), settings, "", faults)


def _place(environ: Mapping[str, str]) -> tuple[Settings, Sequence[Fault]]:
    """Where the settings say that the router is, and what is wrong with others of them: it may run all the same, with what
    it read before a key's file was spoilt. Raises SettingsError."""
    sections = read_sections(environ)
    if sections.root is not None and sections.faults and not any(name.startswith(PLACE) for name in sections.faulty):
        return sections.root, sections.faults
    return sections.settings(), ()


def _own_doors(settings: Settings, token: str) -> list[Door]:
    beside = Door(str(settings.admin_socket), path=settings.admin_socket)
    address = parse_address(settings.admin.listen)
    if not address.port:
        return [beside]
    address = address._replace(host=LOOPBACK.get(address.host, address.host))
    door = Door(f"http://{address}", address.host, address.port, token=token)
    return [beside, door] if settings.admin_socket.exists() else [door]


def _door(url: str, token: str) -> Door:
    parts = urlsplit(url)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 9464)
    except ValueError:
        port = 0
    if parts.scheme not in ("http", "https") or not parts.hostname or not port or parts.username is not None:
        raise click.UsageError("--admin must be an address such as http://router.example:9464")
    if parts.path.strip("/") or parts.query:
        raise click.UsageError("--admin names the admin port alone, without a path: http://router.example:9464")
    return Door(f"{parts.scheme}://{parts.netloc}", parts.hostname, port, parts.scheme == "https", token=token)


def _token_of(environ: Any) -> str:
    """The token that the variables give, without looking at any other setting."""
    path = environ.get("FER_ADMIN__TOKEN_FILE", "").strip()
    return _token(Path(path)) if path else environ.get("FER_ADMIN__TOKEN", "").strip()


def _token(path: Path) -> str:
    try:
        token = read_value(str(path)).strip()
    except ValueFileError as error:
        raise click.UsageError(f"the token can't be had: {error}") from None
    if not token.isascii() or any(c.isspace() for c in token):
        raise click.UsageError(f"{path} holds no token: it must be one word of ASCII")
    return token


def complete_sinks(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Names of sinks in the settings, for the Tab key."""
    try:
        names = list(load(environ_of(ctx)).sinks)
    except Exception:  # noqa: BLE001 - whatever is wrong, a shell's completion is no place to say it
        return []
    return [name for name in names if name.startswith(incomplete)]
