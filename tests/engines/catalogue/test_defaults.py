"""What ships: the default models exist, are what they are pinned to be, and run."""

import os
from pathlib import Path

import pytest

from inhouse.engines import abilities
from inhouse.engines.catalogue import seed
from inhouse.engines.catalogue.hub import HubSource
from inhouse.engines.catalogue.pull import present, pull
from inhouse.engines.catalogue.wheels import WheelSource


def test_the_defaults_are_pinned_and_come_from_a_package_index() -> None:
    for name in seed().defaults:
        entry = seed().entries[name]
        assert WheelSource.parse(entry.source)
        assert entry.sha256 is not None
        assert len(entry.sha256) == 64
        assert entry.size
        assert entry.licence == "Apache-2.0"


def test_what_is_offered_besides_comes_from_the_hub() -> None:
    offered = [entry for name, entry in seed().entries.items() if name not in seed().defaults]
    assert offered
    for entry in offered:
        assert HubSource.parse(entry.source).path.endswith(".gguf")
        assert entry.licence


def test_alias_rules_lead_to_defaults_that_can_what_the_name_promises() -> None:
    for rule, name in seed().aliases.items():
        wanted = abilities.EMBEDDINGS if "embedding" in rule else abilities.TEXT
        assert name in seed().defaults
        assert wanted in seed().entries[name].abilities


def test_every_ability_of_an_entry_is_one_that_is_known() -> None:
    known = {value for name, value in vars(abilities).items() if name.isupper()}
    for entry in seed().entries.values():
        assert entry.abilities <= known


@pytest.mark.model
@pytest.mark.parametrize("name", seed().defaults)
async def test_a_default_is_pulled_from_the_index_and_found_again(
    name: str, tmp_path: Path
) -> None:
    entry = seed().entries[name]
    phases: list[str] = []
    pulled = await pull(entry, tmp_path, progress=lambda progress: phases.append(progress.phase))
    assert (pulled.sha256, pulled.size) == (entry.sha256, entry.size)
    assert present(entry, tmp_path) == pulled.path
    assert pulled.path.read_bytes()[:4] == b"GGUF"
    assert {"checking", "done"} <= set(phases)
    assert ("converting" in phases) == (entry.convert is not None)
    assert sorted(os.listdir(tmp_path / name)) == sorted(["manifest.json", pulled.path.name])
    assert os.listdir(tmp_path / ".partial") == []
