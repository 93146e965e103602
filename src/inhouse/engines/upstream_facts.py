"""What is known of an upstream, and how: configured by its operator, probed, or assumed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from inhouse.engines import abilities
from inhouse.engines.client import ASSUMED
from inhouse.engines.client_fields import DEFAULTS
from inhouse.settings import Upstream

By = Literal["configured", "probed", "assumed"]

ABLE = ASSUMED | {abilities.VISION, abilities.EMBEDDINGS, abilities.DIMENSIONS}
"""What an upstream is taken to be able to do: it answers itself for what its model cannot."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a server was found to be.

    `server`: its name and version, as far as they are known. `fields`: rules of the field map that
    were found. `lacks`: abilities that it has not. `developer`: whether it takes that role.
    `counts`: whether it counts the tokens of chats. None and empty: not found out. `whole`: there
    is nothing more to find out.
    """

    server: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict[str, Any])
    lacks: frozenset[str] = frozenset()
    developer: bool | None = None
    counts: bool | None = None
    whole: bool = False


NOTHING = Facts()


def able(settings: Upstream, facts: Facts) -> frozenset[str]:
    """What the upstream's models can; what its operator says wins."""
    return ABLE - facts.lacks if settings.abilities is None else frozenset(settings.abilities)


def field_map(settings: Upstream, facts: Facts) -> dict[str, Any]:
    """The rules over the defaults: those found, and over them those of its operator."""
    return {**facts.fields, **settings.fields}


def told(settings: Upstream, facts: Facts) -> dict[str, tuple[Any, By]]:
    """Every rule of the field map, and how it is known."""
    known: dict[str, tuple[Any, By]] = {}
    layers: tuple[tuple[By, Mapping[str, Any]], ...] = (
        ("assumed", DEFAULTS),
        ("probed", facts.fields),
        ("configured", settings.fields),
    )
    for by, rules in layers:
        known.update((name, (rule, by)) for name, rule in rules.items())
    return known
