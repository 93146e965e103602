"""One file of a Hugging Face repository.

The download runs in a process of its own (`python -m inhouse.engines.catalogue.hub`): it can be
ended at any moment, and the hub's library stays out of the server. What was fetched of an
interrupted download is kept and continued. `HF_TOKEN`, `HF_ENDPOINT` and `HF_HUB_*` count as
everywhere.
"""

import fcntl
import json
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Self, cast
from urllib.parse import urlsplit

from inhouse.engines.catalogue.cache import PullError
from inhouse.engines.catalogue.formats import WEIGHTS, check_name
from inhouse.engines.catalogue.process import run

Json = dict[str, Any]

_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_SOURCE = re.compile(rf"hf:({_NAME}/{_NAME})/([^@]+?)(?:@([A-Za-z0-9][A-Za-z0-9._/-]*))?")

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class HubSource:
    """`hf:owner/repository/path@revision`; the revision is `main` unless given."""

    repository: str
    path: str
    revision: str

    @classmethod
    def parse(cls, source: str) -> Self:
        """Raises PullError for a source that is none."""
        match = _SOURCE.fullmatch(source)
        if match is None or ".." in match[2].split("/"):
            raise PullError(f"{source} is no source: hf:owner/repository/path@revision is.")
        check_name(match[2], WEIGHTS)
        return cls(match[1], match[2], match[3] or "main")


@dataclass(frozen=True, slots=True)
class Fetched:
    """A downloaded file; `sha256` is what the hub says it has, where it says so."""

    path: Path
    sha256: str | None


async def download(
    source: HubSource,
    name: str,
    folder: Path,
    written: Callable[[int], None],
    size: Callable[[int], None],
) -> Fetched:
    """The file `name` of the source's repository, in `folder`. Raises PullError.

    `written` is told how many bytes are in `folder`, `size` how many the file will have.
    """

    def heard(line: str) -> None:
        if (told := _read(line).get("size")) is not None:
            size(told)

    argv = (
        *(sys.executable, "-m", "inhouse.engines.catalogue.hub"),
        *(source.repository, name, source.revision, str(folder)),
    )
    environ = {
        **os.environ,
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_XET": "1",  # its chunks lie elsewhere: no progress to see, a second copy
    }
    ended = await run(argv, environ=environ, folder=folder, written=written, heard=heard)
    said = _read(ended.output.strip().rpartition("\n")[2])
    if "path" not in said:
        lines = ended.errors.strip().splitlines() or ["It said nothing."]
        reason = said.get("error", lines[-1])
        raise PullError(f"{source.repository}/{name} could not be fetched. {reason}")
    return Fetched(Path(said["path"]), said["sha256"])


def _read(line: str) -> Json:
    """A line that the child printed; empty if it is none of ours."""
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return cast("Json", value) if isinstance(value, dict) else {}


def main(repository: str, name: str, revision: str, folder: str) -> dict[str, str | None]:
    """In the child: download, and say where the file is or what went wrong."""
    try:
        return _fetch(repository, name, revision, Path(folder))
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent tells the operator
        said = str(error).strip().splitlines() or [""]
        return {"error": f"{type(error).__name__}: {said[0]}"}


def _fetch(repository: str, name: str, revision: str, folder: Path) -> dict[str, str | None]:
    """The library's own download begins anew in each process; this one goes on."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url  # noqa: PLC0415 - only here
    from huggingface_hub.file_download import http_get  # noqa: PLC0415
    from huggingface_hub.utils import build_hf_headers  # noqa: PLC0415

    url = hf_hub_url(repository, name, revision=revision)
    found = get_hf_file_metadata(url)
    etag = found.etag or "unknown"
    headers = build_hf_headers()
    if urlsplit(url).netloc != urlsplit(found.location).netloc:
        headers.pop("authorization", None)  # a signed URL elsewhere needs no token of ours
    print(json.dumps({"size": found.size}), flush=True)  # noqa: T201 - this is how it tells
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{sha256(f'{name} {etag}'.encode()).hexdigest()}.part"
    with part.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # an earlier download may outlive its parent
        http_get(
            found.location,
            file,
            resume_size=file.tell(),
            headers=headers,
            expected_size=found.size,
        )
    path = part.rename(folder / name.rpartition("/")[2])
    return {"path": str(path), "sha256": etag if _SHA256.fullmatch(etag) else None}


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:5])), flush=True)  # noqa: T201 - this is how it answers
