"""The embedded engine on the default text model: one child for the tests of a module."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.engines.embedded.hearing import CONTEXT

from inhouse.engines.embedded.spec import ChildSpec
from inhouse.engines.embedded.supervisor import Child
from inhouse.engines.embedded.text import EmbeddedText


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Child]:
    spec = ChildSpec(weights, context_length=CONTEXT, parallel=2, cache_mib=16)
    child = Child(spec, tmp_path_factory.mktemp("run"))
    await child.start()
    yield child
    await child.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(shared: Child) -> AsyncIterator[EmbeddedText]:
    engine = EmbeddedText(shared)
    yield engine
    await engine.close()
