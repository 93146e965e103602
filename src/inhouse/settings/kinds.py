"""The kinds of values that a setting can have: how each is read from text and from TOML.

Readers raise `ValueError` with what was expected; they do not know which setting they read.
"""

import ipaddress
import re
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast
from urllib.parse import urlsplit

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]i?b?|b)?", re.IGNORECASE)
_SECONDS = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h)?")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_YES = ("true", "yes", "on", "1")
_NO = ("false", "no", "off", "0")
_NAMES = {
    "str": "a string",
    "bool": "a boolean",
    "int": "an integer",
    "float": "a decimal",
    "list": "an array",
    "dict": "a table",
}


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of value.

    `form` completes "expected ..."; `toml` are the TOML types that `take` can read.
    """

    name: str
    form: str
    parse: Callable[[str], Any]
    toml: tuple[type, ...]
    take: Callable[[Any], Any] | None = None

    def read(self, raw: object, *, text: bool) -> Any:
        """The value of `raw`; `text` says that it comes from the environment or a flag.

        Raises ValueError.
        """
        if text:
            return self.parse(str(raw))
        if type(raw) not in self.toml:
            raise ValueError(f"expected {self.form}, got {_describe(raw)}")
        if self.take is not None:
            return self.take(raw)
        return self.parse(raw) if isinstance(raw, str) else raw


def _describe(raw: object) -> str:
    return _NAMES.get(type(raw).__name__, f"a {type(raw).__name__}")


def _text(raw: str) -> str:
    if not raw or not raw.isprintable():
        raise ValueError("expected text that is not empty and has no control characters")
    return raw


def _path(raw: str) -> Path:
    return Path(_text(raw)).expanduser().absolute()


def _boolean(raw: str) -> bool:
    word = raw.strip().lower()
    if word not in _YES + _NO:
        raise ValueError(f"expected true or false, got {raw!r}")
    return word in _YES


def _integer(raw: str) -> int:
    try:
        return int(raw)
    except ValueError:
        raise ValueError(f"expected an integer, got {raw!r}") from None


def _port(raw: int | str) -> int:
    number = _integer(raw) if isinstance(raw, str) else raw
    if not 0 <= number <= 65535:
        raise ValueError(f"expected a port between 0 and 65535, got {number}")
    return number


def size(raw: int | str) -> int:
    """Bytes: an integer, or text such as `512MiB`, `8 GiB`, `2GB` (decimal), `64k`."""
    if isinstance(raw, int):
        return raw
    found = _SIZE.fullmatch(raw.strip())
    if found is None:
        raise ValueError(f"expected a size such as 64MiB or 8GiB, got {raw!r}")
    number, unit = found.group(1), (found.group(2) or "b").lower()
    power = " kmgt".index(unit[0]) if unit != "b" else 0
    base = 1000 if len(unit) == 2 and unit != "b" and not unit.endswith("i") else 1024
    return int(float(number) * base**power)


def seconds(raw: float | str) -> float:
    """Seconds: a number, or text such as `500ms`, `30s`, `2m`, `1h`."""
    if isinstance(raw, (int, float)):
        return float(raw)
    found = _SECONDS.fullmatch(raw.strip())
    if found is None:
        raise ValueError(f"expected a duration such as 500ms, 30s or 2m, got {raw!r}")
    return float(found.group(1)) * _UNITS[found.group(2) or "s"]


def _strings(raw: Iterable[object]) -> tuple[str, ...]:
    values = tuple(raw)
    for value in values:
        if not isinstance(value, str):
            message = f"expected an array of strings, got {_describe(value)} in it"
            raise ValueError(message)  # noqa: TRY004 - readers raise one kind of error
        _text(value)
    return cast("tuple[str, ...]", values)


def _list(raw: str | list[object]) -> tuple[str, ...]:
    if isinstance(raw, str):
        raw = [part.strip() for part in raw.split(",") if part.strip()]
    return _strings(raw)


def _arguments(raw: str | list[object]) -> tuple[str, ...]:
    return _strings(shlex.split(raw) if isinstance(raw, str) else raw)


def _addresses(raw: str | list[object]) -> tuple[str, ...]:
    values = _list(raw)
    for value in values:
        if value == "*":
            continue
        try:
            ipaddress.ip_network(value, strict=False)
        except ValueError:
            raise ValueError(f"expected addresses or networks, got {value!r}") from None
    return values


def _url(raw: str) -> str:
    """A base URL without its trailing slash: http, https, or unix:// and an absolute path."""
    parts = urlsplit(raw)
    plain = parts.scheme in ("http", "https") and parts.hostname and not parts.query
    socket = parts.scheme == "unix" and not parts.netloc and parts.path.startswith("/")
    if not (plain or socket) or parts.fragment:
        raise ValueError(f"expected an http, https or unix URL, got {raw!r}")
    if parts.username or parts.password:
        raise ValueError("expected a URL without a user or password in it; use api_key_env")
    return raw.rstrip("/")


def _urls(raw: str | list[object]) -> tuple[str, ...]:
    values = (raw,) if isinstance(raw, str) else _strings(raw)
    if not values:
        raise ValueError("expected at least one URL")
    return tuple(_url(value) for value in values)


def _database(raw: str) -> str:
    """A URL of PostgreSQL. It may hold a password, so no message shows it."""
    try:
        parts = urlsplit(raw)
        fine = parts.scheme in ("postgresql", "postgres") and parts.port != 0 and parts.path
    except ValueError:
        fine = ""
    if not fine or "#" in raw or not raw.isprintable():
        raise ValueError("expected a URL such as postgresql://user:password@host:5432/name")
    return raw


def _level(raw: str) -> str:
    level = raw.strip().lower()
    if level not in ("debug", "info", "warning", "error"):
        raise ValueError(f"expected debug, info, warning or error, got {raw!r}")
    return level


def _table(raw: dict[str, object]) -> MappingProxyType[str, object]:
    return MappingProxyType(dict(raw))


def _no_text(raw: str) -> Any:
    raise ValueError(f"expected a TOML table, got {raw!r}")


TEXT = Kind("text", "a string", _text, (str,))
PATH = Kind("path", "a path", _path, (str,))
BOOLEAN = Kind("boolean", "true or false", _boolean, (bool,))
INTEGER = Kind("integer", "an integer", _integer, (int,))
PORT = Kind("port", "a port number", _port, (int,), _port)
SIZE = Kind("size", "a size", size, (int, str), size)
SECONDS = Kind("duration", "a duration", seconds, (int, float, str), seconds)
LIST = Kind("list", "an array of strings", _list, (list,), _list)
ARGUMENTS = Kind("arguments", "an array of strings", _arguments, (list, str), _arguments)
ADDRESSES = Kind("addresses", "an array of addresses or networks", _addresses, (list,), _addresses)
URLS = Kind("URLs", "a URL or an array of URLs", _urls, (str, list), _urls)
DATABASE = Kind("database", "a URL of PostgreSQL", _database, (str,))
LEVEL = Kind("level", "debug, info, warning or error", _level, (str,))
TABLE = Kind("table", "a table", _no_text, (dict,), _table)
