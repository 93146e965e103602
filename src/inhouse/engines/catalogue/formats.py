"""Which files may come into the model cache: weights and tokenizers that are data.

Pickles run code when they are read, so none is taken, whatever it is called.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from inhouse.engines.catalogue.cache import PullError

_READ_BYTES = 4 * 2**20
_LARGEST_JSON = 64 * 2**20
WEIGHTS = (".gguf", ".safetensors", ".onnx")
ACCEPTED = (*WEIGHTS, ".json")


def check_name(name: str, accepted: tuple[str, ...] = ACCEPTED) -> None:
    """Raises PullError unless a file of this name may be taken."""
    if not name.lower().endswith(accepted):
        raise PullError(
            f"{name or 'A source without a file name'} is not taken: only {', '.join(accepted)}. "
            "Pickled weights can run code."
        )


def check_content(path: Path) -> None:
    """Raises PullError unless the file begins as its name says."""
    with path.open("rb") as file:
        start = file.read(16)
    match path.suffix.lower():
        case ".gguf":
            good = start.startswith(b"GGUF")
        case ".safetensors":
            length = int.from_bytes(start[:8], "little")
            good = start[8:9] == b"{" and length < path.stat().st_size
        case ".onnx":
            good = start[:1] == b"\x08"  # field 1 of a ModelProto: the IR version
        case _:
            good = _is_json(path)
    if not good:
        raise PullError(f"{path.name} is not what its name says: it is no {path.suffix[1:]} file.")


def sha256(path: Path, report: Callable[[int], None]) -> str:
    """The file's hash; `report` is told how many bytes were read so far. Blocks."""
    digest = hashlib.sha256()
    done = 0
    with path.open("rb") as file:
        while piece := file.read(_READ_BYTES):
            digest.update(piece)
            done += len(piece)
            report(done)
    return digest.hexdigest()


def _is_json(path: Path) -> bool:
    if path.stat().st_size > _LARGEST_JSON:
        return False
    try:
        json.loads(path.read_bytes())
    except ValueError:
        return False
    return True
