"""Reading settings: flags before environment before TOML before defaults."""

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from inhouse.settings.settings import Option, Settings, SettingsError, Upstream, options

_Values = dict[str, Any]


def load(environ: Mapping[str, str], flags: Mapping[str, str | None] | None = None) -> Settings:
    """The settings from `flags`, `environ` and the TOML file that one of them names.

    `flags` go by field name; None is not given.

    Raises SettingsError on whatever is unknown or wrong.
    """
    known = {option.name: option for option in options()}
    given = _from_flags(known, flags or {})
    surrounding = _from_environment(known, environ)
    path = (surrounding | given).get("config")
    values = _from_toml(known, path, environ) if path is not None else {}
    return Settings(**(values | surrounding | given))


def _from_flags(known: Mapping[str, Option], flags: Mapping[str, str | None]) -> _Values:
    values: _Values = {}
    for name, raw in flags.items():
        option = known.get(name)
        if option is None or option.flag is None:
            raise SettingsError(f"There is no flag for {name!r}.{_nearest(name, known)}")
        if raw is not None:
            values[name] = _read(option, raw, option.flag, text=True)
    return values


def _from_environment(known: Mapping[str, Option], environ: Mapping[str, str]) -> _Values:
    variables = {option.env: option for option in known.values() if option.env}
    values: _Values = {}
    for name, raw in environ.items():
        if not name.startswith(Settings.ENV_PREFIX):
            continue
        option = variables.get(name)
        if option is None:
            raise SettingsError(f"Unknown environment variable {name}.{_nearest(name, variables)}")
        if raw:  # empty means not set
            values[option.name] = _read(option, raw, name, text=True)
    return values


def _from_toml(known: Mapping[str, Option], path: Path, environ: Mapping[str, str]) -> _Values:
    document = _parse(path)
    tables = document.pop("upstreams", [])
    values: _Values = _table(known, document, str(path))
    for name in ("data", "models", "tls_certificate", "tls_key"):
        if name in values:  # a path in a file is meant from that file
            values[name] = _from_folder(path.parent, document[name])
    if not isinstance(tables, list):
        raise SettingsError(f"{path}: upstreams: expected [[upstreams]] tables.")
    values["upstreams"] = tuple(
        _upstream(table, f"{path}: upstreams[{index}]", environ)
        for index, table in enumerate(tables)
    )
    return values


def _from_folder(folder: Path, raw: str) -> Path:
    return (folder / Path(raw).expanduser()).absolute()


def _parse(path: Path) -> _Values:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not valid TOML: {error}.") from None


def _table(known: Mapping[str, Option], table: Mapping[str, Any], place: str) -> _Values:
    values: _Values = {}
    for key, raw in table.items():
        option = known.get(key)
        if option is None:
            raise SettingsError(f"{place}: unknown key {key!r}.{_nearest(key, known)}")
        if option.key is None:
            raise SettingsError(f"{place}: {key!r} cannot be set in the file.")
        values[key] = _read(option, raw, f"{place}: {key}", text=False)
    return values


def _upstream(table: object, place: str, environ: Mapping[str, str]) -> Upstream:
    if not isinstance(table, dict):
        raise SettingsError(f"{place}: expected a table.")
    values = cast("_Values", table)
    known = {option.name: option for option in options(Upstream)}
    known["base_url"] = known["base_urls"]
    known["api_key_env"] = known["api_key"]
    read = _table(known, values, place)
    for one, other in (("base_url", "base_urls"), ("api_key_env", "api_key")):
        if one in read and other in read:
            raise SettingsError(f"{place}: {one} and {other}: only one of them.")
    if "base_url" in read:
        read["base_urls"] = read.pop("base_url")
    if "api_key_env" in read:
        read["api_key"] = _variable(read.pop("api_key_env"), place, environ)
    for name in ("name", "base_urls"):
        if name not in read:
            raise SettingsError(f"{place}: {name.removesuffix('s')} is missing.")
    return Upstream(**read)


def _variable(name: str, place: str, environ: Mapping[str, str]) -> str:
    value = environ.get(name)
    if not value:
        raise SettingsError(f"{place}: api_key_env: the variable {name} is not set.")
    return value


def _read(option: Option, raw: object, place: str, *, text: bool) -> Any:
    try:
        value = option.kind.read(raw, text=text)
    except ValueError as error:
        raise SettingsError(f"{place}: {error}.") from None
    low, high = option.least, option.most
    if low is not None and value < low:
        raise SettingsError(f"{place}: expected at least {low:g}, got {value}.")
    if high is not None and value > high:
        raise SettingsError(f"{place}: expected at most {high:g}, got {value}.")
    return value


def _nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=3, cutoff=0.6)
    return f" Did you mean {' or '.join(near)}?" if near else ""
