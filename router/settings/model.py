"""All settings of the router as types. Their environment names follow from the field names; see `docs/settings.md`."""

from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationInfo, field_validator

from router.settings.address import parse_address
from router.settings.urls import DOMAINS, check_proxy, check_ws_url, parse_domain
from sinks.settings import ByteSize, Seconds, Section, SinkSettings, parse_lines, parse_list


def _listen(text: str) -> str:
    return str(parse_address(text))


def _listen_or_off(text: str) -> str:
    return "" if text.lower() in ("", "off") else _listen(text)


def _network(text: str) -> str:
    try:
        return str(ip_network(text, strict=False))
    except ValueError:
        raise ValueError(f"must be networks such as 10.0.0.0/8 or 192.0.2.7, and {text!r} is none") from None


Secrets = Annotated[list[SecretStr], BeforeValidator(parse_lines)]
Networks = Annotated[list[Annotated[str, AfterValidator(_network)]], BeforeValidator(parse_list)]
FEISHU_PATIENCE_SECONDS = 3.0
PROGRAMS = "feishu_ws"
"""The type of the sinks that programs connect to."""


class AppSettings(Section):
    """One Feishu app. Keys and tokens: one a line, so that an old and a new one are valid during a rotation."""

    encrypt_key: Secrets = Field(
        default=[], description="Encrypt Key(s) of the app, one a line. None: pushes come plain."
    )
    verification_token: Secrets = Field(default=[], description="Verification Token(s) of the app, one a line.")
    app_id: str = Field(
        default="",
        description="App id (cli_…). Webhook: set when only its pushes shall be taken on this path. Long connection: needed.",
    )
    mode: Literal["webhook", "long_connection"] = Field(
        default="webhook",
        description="How its events come: pushed to the webhook, or over connections that the router opens to Feishu. With "
        "long_connection the webhook's path stays only where there is a key or a token.",
    )
    app_secret: SecretStr | None = Field(
        default=None, description="App Secret. Long connection only, as all that follow."
    )
    domain: Annotated[str, AfterValidator(parse_domain)] = Field(
        default=DOMAINS["feishu"],
        description="Where Feishu is: feishu, lark, or the address of anything that serves as they do.",
    )
    connections: int = Field(
        default=2, ge=1, le=50, description="Connections to hold; Feishu allows an app 50 of all its programs together."
    )
    proxy: Annotated[SecretStr | None, AfterValidator(check_proxy)] = Field(
        default=None, description="Forward proxy, http://user:password@host:port. The environment's is never used."
    )
    tls_ca_file: Path | None = Field(
        default=None, description="CA certificates (PEM) to trust instead of the system's."
    )

    @property
    def has_webhook(self) -> bool:
        """Whether it has a path on the webhook: with long connections only where pushes can be told from forged ones."""
        return self.mode == "webhook" or bool(self.encrypt_key or self.verification_token)

    @property
    def open_to_all(self) -> bool:
        """Whether whoever reaches its path may push."""
        return self.has_webhook and not self.encrypt_key and not self.verification_token


class IngressSettings(Section):
    """Limits of the webhook server."""

    max_body_bytes: ByteSize = Field(default=1 << 20, ge=1024, description="Largest body taken; more is 413.")
    max_depth: int = Field(default=100, ge=8, le=250, description="Deepest JSON nesting taken.")
    max_in_flight: int = Field(default=2000, ge=1, description="Pushes being worked on at once; more get 503.")
    max_in_flight_bytes: ByteSize = Field(default=64 << 20, ge=1 << 20, description="Their bodies together.")
    max_connections: int = Field(
        default=4096, ge=1, description="Open connections; where there are more, the longest idle go."
    )
    budget_seconds: Seconds = Field(default=2.3, gt=0, description="First byte to answer; not durable by then is 503.")
    read_timeout_seconds: Seconds = Field(default=10.0, gt=0, description="A head or a body not complete by then: 408.")
    keepalive_seconds: Seconds = Field(default=75.0, description="An idle connection is closed after this.")
    max_age_seconds: Seconds = Field(
        default=0.0, description="Signed timestamps older than this are refused; 0: no limit (retries span 7.1 h)."
    )
    trusted_proxies: Networks = Field(
        default=[], description="Networks (CIDR) whose X-Forwarded-For is believed for the client's address."
    )

    @field_validator("max_in_flight_bytes")
    @classmethod
    def _one_body_fits(cls, value: int, info: ValidationInfo) -> int:
        if value < info.data.get("max_body_bytes", 0):
            raise ValueError(
                f"must be at least MAX_BODY_BYTES, {info.data['max_body_bytes']}, or such a body never gets in"
            )
        return value

    @field_validator("budget_seconds")
    @classmethod
    def _feishu_waits(cls, value: float) -> float:
        if value > FEISHU_PATIENCE_SECONDS:
            raise ValueError("must be at most 3 s: Feishu waits no longer and would push the event again")
        return value


class TlsSettings(Section):
    """TLS of the webhook port."""

    cert_file: Path | None = Field(default=None, description="Certificate chain (PEM). Set: the port speaks TLS.")
    key_file: Path | None = Field(default=None, description="Private key (PEM).")

    @field_validator("key_file")
    @classmethod
    def _both_or_none(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if "cert_file" in info.data and (info.data["cert_file"] is None) != (value is None):
            raise ValueError("belongs together with CERT_FILE: set both or neither")
        return value


class WsSettings(Section):
    """The port that programs connect to as they would to Feishu; open only where there is a sink of type feishu_ws."""

    listen: Annotated[str, AfterValidator(_listen)] = Field(
        default="127.0.0.1:8090", description="Address and port; `:8090` is every interface."
    )
    public_url: Annotated[str, AfterValidator(check_ws_url)] = Field(
        default="",
        description="Where the programs reach it, ws://… or wss://…, when that is not the address that they ask at.",
    )
    max_connections: int = Field(
        default=1000, ge=1, le=100_000, description="Open connections, of all sinks together; more are refused."
    )
    handshake_seconds: Seconds = Field(
        default=10.0,
        gt=0,
        description="A request that isn't complete by then is refused, and what isn't read is cut off.",
    )
    ping_interval_seconds: Seconds = Field(
        default=30.0,
        ge=1,
        le=600,
        description="How often a program says that it is there. Silent for twice as long and 5 s, it is given up.",
    )
    reconnect_interval_seconds: Seconds = Field(
        default=5.0, ge=1, le=600, description="How long a program waits after an attempt that failed."
    )
    tls: TlsSettings = TlsSettings()

    def domain(self, address: str) -> str:
        """What programs set as Feishu's domain to come here. address: where it listens, `host:port`."""
        if self.public_url:
            return "http" + self.public_url.removeprefix("ws")
        return f"{'https' if self.tls.cert_file else 'http'}://{address}"

    @field_validator("ping_interval_seconds", "reconnect_interval_seconds")
    @classmethod
    def _whole(cls, value: float) -> float:
        if value != int(value):
            raise ValueError("must be whole seconds: the SDKs take nothing else")
        return value


class AdminSettings(Section):
    """The second port: health, metrics."""

    listen: Annotated[str, AfterValidator(_listen_or_off)] = Field(
        default="127.0.0.1:9464", description="Address and port; off: no admin port (then the setting reads as empty)."
    )
    token: SecretStr | None = Field(default=None, description="Bearer token for everything but health and metrics.")


class JournalSettings(Section):
    """Where events are made durable, and how long they stay."""

    retention_seconds: Seconds = Field(default=7 * 86400.0, description="Settled events are dropped after this age.")
    max_bytes: ByteSize = Field(
        default=10 << 30, ge=16 << 20, description="Size limit: settled events go first, then pushes get 503."
    )
    dedupe_seconds: Seconds = Field(
        default=2 * 86400.0, ge=86400.0, description="How long an event's id is remembered, at least 24 h."
    )
    absent_seconds: Seconds = Field(
        default=7 * 86400.0,
        description="How long a sink taken out of the settings still holds the events that it has not settled.",
    )


class DispatchSettings(Section):
    """Shared by all lanes."""

    window_events: int = Field(default=4000, ge=1, description="Unsettled events that one lane holds in memory.")
    window_bytes: ByteSize = Field(default=16 << 20, ge=1 << 16, description="Their size together.")
    deliver_timeout_seconds: Seconds = Field(default=120.0, gt=0, description="A deliver() that hangs is cut off then.")


class DrainSettings(Section):
    """What happens at SIGTERM, or when the terminal is closed; and at Ctrl-C, which leaves `ACCEPT_SECONDS` out."""

    accept_seconds: Seconds = Field(
        default=5.0, description="Unready, but still accepting, until load balancers have noticed."
    )
    lanes_seconds: Seconds = Field(default=15.0, description="Then the lanes may go on delivering this long at most.")
    grace_seconds: Seconds = Field(
        default=30.0,
        description="How long the platform waits after SIGTERM before it kills (the pod's terminationGracePeriodSeconds);"
        " the two above must sum to less.",
    )

    @field_validator("grace_seconds")
    @classmethod
    def _ends_in_time(cls, value: float, info: ValidationInfo) -> float:
        needed = info.data.get("accept_seconds", 0.0) + info.data.get("lanes_seconds", 0.0)
        if needed >= value:
            raise ValueError(f"must be more than ACCEPT_SECONDS and LANES_SECONDS together, {needed:g} s")
        return value


class LogSettings(Section):
    """Log lines go to standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="debug shows a line for each event received, stored and delivered."
    )
    format: Literal["auto", "json", "console"] = Field(
        default="auto",
        description="auto: console on a terminal, else JSON. Console has no colours where NO_COLOR is set.",
    )


class Settings(Section):
    """The whole. `apps` and `sinks` are keyed by name; the short form of one app has the name ""."""

    listen: Annotated[str, AfterValidator(_listen)] = Field(
        default="127.0.0.1:8080", description="Address and port of the webhook; `:8080` is every interface."
    )
    data_dir: Path = Field(default=Path("data"), description="Journal, lock and default file sink.")
    apps: dict[str, AppSettings] = Field(default={})
    sinks: dict[str, SinkSettings] = Field(default={})
    ingress: IngressSettings = IngressSettings()
    tls: TlsSettings = TlsSettings()
    ws: WsSettings = WsSettings()
    admin: AdminSettings = AdminSettings()
    journal: JournalSettings = JournalSettings()
    dispatch: DispatchSettings = DispatchSettings()
    drain: DrainSettings = DrainSettings()
    log: LogSettings = LogSettings()

    @property
    def journal_file(self) -> Path:
        """The journal's database; its other files stand beside it."""
        return self.data_dir / "journal.db"

    @property
    def serves_programs(self) -> bool:
        """Whether programs connect to it as they would to Feishu."""
        return any(sink.type == PROGRAMS for sink in self.sinks.values())

    @property
    def admin_socket(self) -> Path:
        """Where whoever may read the data directory reaches the admin API, without a token."""
        return self.data_dir / "admin.sock"
