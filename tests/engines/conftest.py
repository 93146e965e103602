"""The real model, found in the model cache."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from inhouse.engines.embedded.spec import ChildSpec
from inhouse.engines.embedded.supervisor import Child

WEIGHTS = "SmolLM2-135M-Instruct.Q4_1.gguf"


@pytest.fixture(scope="session")
def weights() -> Path:
    """The default text model's file, from the model cache that `make test` fills."""
    cache = Path(os.environ.get("INHOUSE_MODELS", Path.home() / ".cache/inhouse/models"))
    found = next(cache.rglob(WEIGHTS), None)
    if found is None:
        pytest.skip(f"{WEIGHTS} is not in {cache}; `make test` fetches it")
    return found


@pytest.fixture
async def child(weights: Path, tmp_path: Path) -> AsyncIterator[Child]:
    """A child of its own for a test that harms it."""
    child = Child(ChildSpec(weights, context_length=512, parallel=2, cache_mib=0), tmp_path / "run")
    await child.start()
    yield child
    await child.stop()
