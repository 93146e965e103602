"""What a child process is to run. Crosses the process boundary as one JSON line; knows no
process."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Adapter:
    """A LoRA adapter in GGUF form. With scale 0 it is loaded and used only by requests that ask for
    it."""

    path: Path
    scale: float = 0.0


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """A model and how to run it.

    `context_length` is in tokens and per slot; `parallel` is the number of slots; `threads` 0 means
    one per core; `cache_mib` bounds the prompt cache (0: none). `embedding` makes it a server of
    vectors, pooled by the mean and of unit length. `mmproj` is the projector that lets the model
    see.
    """

    path: Path
    embedding: bool = False
    context_length: int = 2048
    parallel: int = 4
    threads: int = 0
    cache_mib: int = 256
    mmproj: Path | None = None
    lora: tuple[Adapter, ...] = ()


@dataclass(frozen=True, slots=True)
class Launch:
    """The line that a child reads first: its spec, where to listen, the key to ask for, and whose
    child it is.

    `socket` None means a TCP port on loopback that the child chooses.
    """

    spec: ChildSpec
    socket: str | None
    key: str
    parent: int

    def encode(self) -> bytes:
        """One line of JSON."""
        return json.dumps(asdict(self), default=str).encode() + b"\n"

    @classmethod
    def decode(cls, line: bytes) -> "Launch":
        """What `encode` wrote."""
        value: dict[str, Any] = json.loads(line)
        spec: dict[str, Any] = value.pop("spec")
        spec["path"] = Path(spec["path"])
        spec["mmproj"] = Path(spec["mmproj"]) if spec["mmproj"] else None
        spec["lora"] = tuple(Adapter(Path(each["path"]), each["scale"]) for each in spec["lora"])
        return cls(ChildSpec(**spec), **value)
