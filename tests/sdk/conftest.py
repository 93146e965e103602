"""The official client against the real default model, which runs in a child process."""

import os
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from tests.conftest import serving

from inhouse.engines.catalogue import seed
from inhouse.engines.catalogue.pull import present
from inhouse.engines.scripted import Scripted
from inhouse.services import Services
from inhouse.settings import Settings

if TYPE_CHECKING:
    from openai import AsyncOpenAI

CACHE = Path(os.environ.get("INHOUSE_MODELS", Path.home() / ".cache/inhouse/models"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def real(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator["AsyncOpenAI"]:
    """A client of a server that runs the default text model under its own name and `gpt-*`.

    The weights come from the model cache that `make test` fills.
    """
    known = seed()
    entry = known.entries[known.defaults[0]]
    if present(entry, CACHE) is None:
        pytest.skip(f"{entry.id} is not in {CACHE}; `make test` fetches it")
    data = tmp_path_factory.mktemp("real")
    settings = Settings(data=data, models=CACHE, default_models=False, context_length=2048)
    services = await Services.open(settings)
    await services.model_store.put(entry.id, entry.json())
    await services.model_store.put_alias("gpt-*", entry.id)
    async with serving(services, Scripted([])) as house:
        yield house.client(timeout=120)
