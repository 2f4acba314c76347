"""Settings of the HTTP sink."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from router.feishu.push import USER_AGENT
from sinks.http.values import StatusRange, check_url, parse_header, parse_key, parse_status, shown_url, split_headers
from sinks.settings import ByteSize, Seconds, SinkSettings, StrList, parse_lines


def _checked_url(value: SecretStr) -> SecretStr:
    check_url(value.get_secret_value(), credentials=False)
    return value


def _checked_proxy(value: SecretStr | None) -> SecretStr | None:
    if value is not None:
        check_url(value.get_secret_value(), credentials=True)
    return value


def _checked_headers(value: list[SecretStr]) -> list[SecretStr]:
    names = [parse_header(item.get_secret_value())[0].lower() for item in value]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"header {name} is given twice")
    return value


def _checked_keys(value: list[SecretStr]) -> list[SecretStr]:
    for item in value:
        parse_key(item.get_secret_value())
    return value


def _checked_statuses(value: list[str]) -> list[str]:
    for item in value:
        parse_status(item)
    return value


def _checked_token(value: SecretStr | None) -> SecretStr | None:
    text = value.get_secret_value() if value else ""
    if not all("\x21" <= char <= "\x7e" for char in text):
        raise ValueError("a bearer token holds printable ASCII without spaces only")
    return value


def _checked_line(value: SecretStr | None) -> SecretStr | None:
    text = value.get_secret_value() if value else ""
    if not text.isprintable():
        raise ValueError("holds one line without control characters: a push is made with one key and one token")
    return value


OneLine = Annotated[SecretStr | None, AfterValidator(_checked_line)]
Headers = Annotated[list[SecretStr], BeforeValidator(split_headers), AfterValidator(_checked_headers)]
SigningSecrets = Annotated[list[SecretStr], BeforeValidator(parse_lines), AfterValidator(_checked_keys)]
Statuses = Annotated[StrList, AfterValidator(_checked_statuses)]


class HttpSettings(SinkSettings):
    """Where and how events are posted. The URL counts as secret too: it is shown without its query."""

    url: Annotated[SecretStr, AfterValidator(_checked_url)] = Field(
        description="http:// or https:// address that takes the events."
    )
    method: Literal["POST", "PUT", "PATCH"] = Field(default="POST", description="Request method.")
    format: Literal["structured", "binary", "batch", "data", "feishu"] = Field(
        default="structured",
        description="CloudEvents structured (whole event as JSON), binary (attributes in ce- headers), batch (JSON array "
        "of events), data (Feishu's event object alone), or feishu (pushed as Feishu would).",
    )
    encrypt_key: OneLine = Field(
        default=None, description="The receiver's Encrypt Key, format feishu: pushes are encrypted and signed with it."
    )
    verification_token: OneLine = Field(
        default=None, description="The receiver's Verification Token, format feishu: it stands in each push."
    )
    verify_url: bool = Field(
        default=False,
        description="Format feishu: the sink opens once the receiver has answered a challenge, as when Feishu saves a URL.",
    )
    empty_answer: Literal["delivered", "unavailable"] = Field(
        default="delivered",
        description="Format feishu: what a 200 without a body means. The Node SDK answers so when the signature is wrong "
        "and its handler did not run, but also when a handler returns nothing; before its version 1.44 always.",
    )
    headers: Headers = Field(default=[], description="Headers added to each request: `Name: value`, one a line.")
    bearer_token: Annotated[SecretStr | None, AfterValidator(_checked_token)] = Field(
        default=None, description="Sent as `Authorization: Bearer …`."
    )
    basic_username: str = Field(default="", description="User of basic authentication.")
    basic_password: SecretStr | None = Field(default=None, description="Password of basic authentication.")
    signing_secrets: SigningSecrets = Field(
        default=[],
        description="Standard Webhooks secrets (whsec_… or raw text of 24 bytes or more), one a line; each signs, so that "
        "the receiver can change from one to the next.",
    )
    user_agent: str | None = Field(
        default=None,
        pattern=r"^[\x20-\x7e]+$",
        description="Sent as User-Agent. Unset: feishu-event-router, in format feishu what Feishu sends.",
    )
    connect_timeout_seconds: Seconds | None = Field(
        default=None,
        gt=0,
        description="Name, connection and TLS done by then, or the sink is unavailable. Unset: 5, in format feishu 2.",
    )
    timeout_seconds: Seconds | None = Field(
        default=None,
        gt=0,
        description="Whole request, to the answer's head; below FER_DISPATCH__DELIVER_TIMEOUT_SECONDS. Unset: 30, in "
        "format feishu 3.",
    )
    keepalive_seconds: Seconds = Field(
        default=4.0, description="Idle connections are kept this long; below the receiver's own limit."
    )
    concurrency: int | None = Field(
        default=None, ge=1, le=1000, description="Requests under way at once. Unset: 64, in format batch 4."
    )
    connections: int = Field(
        default=64, ge=1, le=1000, description="Open connections; fewer than CONCURRENCY lowers that."
    )
    max_events: int = Field(default=100, ge=1, le=10000, description="Events in one request, format batch.")
    max_bytes: ByteSize = Field(
        default=1 << 20, ge=1 << 16, description="Bytes of events in one request, format batch."
    )
    tls_ca_file: Path | None = Field(
        default=None, description="CA certificates (PEM) to trust instead of the system's."
    )
    tls_cert_file: Path | None = Field(default=None, description="Client certificate chain (PEM).")
    tls_key_file: Path | None = Field(default=None, description="Its private key (PEM, not encrypted).")
    tls_verify: bool = Field(default=True, description="false: any certificate is taken. Never in production.")
    proxy: Annotated[SecretStr | None, AfterValidator(_checked_proxy)] = Field(
        default=None, description="Forward proxy, http://user:password@host:port. The environment's is never used."
    )
    show_answer: bool = Field(
        default=True, description="Quote the start of a failed answer's body in logs and dead letters."
    )
    delivered_statuses: Statuses = Field(
        default=[], description="Delivered, besides 2xx; in format feishu besides 200."
    )
    retry_statuses: Statuses = Field(
        default=[], description="This event is tried again, besides 408, 425, 5xx and all that no list names."
    )
    unavailable_statuses: Statuses = Field(
        default=[], description="The sink waits, besides 3xx, 401, 403, 404, 405, 407, 410, 429, 502, 503, 504."
    )
    rejected_statuses: Statuses = Field(
        default=[], description="Dead letter at once, besides 400, 409, 413, 414, 415, 422."
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.bearer_token and self.basic_username:
            raise ValueError("BEARER_TOKEN and BASIC_USERNAME exclude each other")
        if bool(self.basic_username) != (self.basic_password is not None):
            raise ValueError("BASIC_USERNAME and BASIC_PASSWORD belong together")
        if ":" in self.basic_username:
            raise ValueError("BASIC_USERNAME can't hold a colon")
        names = {name.lower() for name, _ in self.header_pairs()}
        if "authorization" in names and (self.bearer_token or self.basic_username):
            raise ValueError("HEADERS has an Authorization of its own beside BEARER_TOKEN or BASIC_USERNAME")
        if self.tls_key_file and not self.tls_cert_file:
            raise ValueError("TLS_KEY_FILE needs TLS_CERT_FILE")
        addresses = [self.url.get_secret_value(), self.proxy.get_secret_value() if self.proxy else ""]
        if not any(address.lower().startswith("https:") for address in addresses) and (
            self.tls_ca_file or self.tls_cert_file
        ):
            raise ValueError("TLS_CA_FILE and TLS_CERT_FILE need a URL that begins with https://")
        self.table()
        self._check_feishu(names)
        return self

    def _check_feishu(self, names: set[str]) -> None:
        """What belongs to format feishu, and what it excludes. names: of HEADERS, in lower case."""
        if self.format != "feishu":
            own = {
                "ENCRYPT_KEY": self.encrypt_key,
                "VERIFICATION_TOKEN": self.verification_token,
                "VERIFY_URL": self.verify_url,
                "EMPTY_ANSWER": self.empty_answer != "delivered",
            }
            if given := [name for name, value in own.items() if value]:
                raise ValueError(f"{', '.join(given)}: only with FORMAT=feishu, and it is {self.format}")
        elif self.method != "POST":
            raise ValueError("METHOD must be POST with FORMAT=feishu: Feishu pushes with nothing else")
        elif taken := sorted(name for name in names if name.startswith("x-lark-")):
            raise ValueError(f"HEADERS has {', '.join(taken)}, which FORMAT=feishu sets itself")

    @property
    def agent(self) -> str:
        """User-Agent in force."""
        return self.user_agent or (USER_AGENT if self.format == "feishu" else "feishu-event-router")

    @property
    def connect_seconds(self) -> float:
        """CONNECT_TIMEOUT_SECONDS in force."""
        return self.connect_timeout_seconds or (2.0 if self.format == "feishu" else 5.0)

    @property
    def seconds(self) -> float:
        """TIMEOUT_SECONDS in force."""
        return self.timeout_seconds or (3.0 if self.format == "feishu" else 30.0)

    def header_pairs(self) -> list[tuple[str, str]]:
        """`headers`, each as name and value."""
        return [parse_header(item.get_secret_value()) for item in self.headers]

    def table(self) -> dict[str, list[StatusRange]]:
        """The status settings by outcome's name. Raises ValueError when two lists claim the same statuses."""
        table = {
            "delivered": [parse_status(item) for item in self.delivered_statuses],
            "retry": [parse_status(item) for item in self.retry_statuses],
            "unavailable": [parse_status(item) for item in self.unavailable_statuses],
            "rejected": [parse_status(item) for item in self.rejected_statuses],
        }
        seen: dict[StatusRange, str] = {}
        for name, ranges in table.items():
            for item in ranges:
                other = seen.setdefault(item, name)
                if other != name:
                    pair = f"{other.upper()}_STATUSES and in {name.upper()}_STATUSES"
                    raise ValueError(f"{item} is in {pair}")
        return table


def describe(settings: HttpSettings) -> str:
    """One line for people, without secrets."""
    form: str = settings.format
    if form == "feishu":
        form += ", encrypted" if settings.encrypt_key else ", not encrypted"
    parts = [f"{settings.method} {shown_url(settings.url.get_secret_value())}", f"({form})"]
    if settings.proxy:
        parts.append(f"through {shown_url(settings.proxy.get_secret_value())}")
    if not settings.tls_verify:
        parts.append("CERTIFICATE NOT VERIFIED")
    return " ".join(parts)


def remarks(settings: HttpSettings) -> Sequence[str]:
    """What is allowed in format feishu and leaves a wrong key, or a stranger's push, unnoticed."""
    if settings.format != "feishu":
        return []
    found = []
    if not settings.encrypt_key and not settings.verification_token:
        found.append("without ENCRYPT_KEY and VERIFICATION_TOKEN the receiver can't tell these pushes from anybody's")
    if not settings.verify_url:
        found.append(
            "without VERIFY_URL=true a wrong key or token shows with the first event only, and with the Node SDK perhaps never"
        )
    return found
