"""The catalogue: which models there are to pull, and under which names code asks for them."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from inhouse.engines.catalogue.entry import Entry

__all__ = ["Entry", "Seed", "seed"]


@dataclass(frozen=True, slots=True)
class Seed:
    """What this program knows of: entries by id, those pulled at the first start, alias rules."""

    entries: Mapping[str, Entry]
    defaults: tuple[str, ...]
    aliases: Mapping[str, str]


@cache
def seed() -> Seed:
    """The built-in part of the catalogue, from `models.toml`."""
    text = files("inhouse.engines.catalogue").joinpath("models.toml").read_text("utf-8")
    data = tomllib.loads(text)
    entries = {value["id"]: Entry.of(value) for value in data["models"]}
    return Seed(entries, tuple(data["defaults"]), data["aliases"])
