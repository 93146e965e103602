"""A model on this machine from its entry to its answers: a real child, on weights made for the
test."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.engines.embedded.test_tiny import picture
from tests.engines.embedded.tiny import HERMES, write_model, write_projector

from inhouse.clock import FrozenClock
from inhouse.engines import abilities
from inhouse.engines.catalogue import Entry
from inhouse.engines.models import Models
from inhouse.engines.text import Json, TextCall, ToolCall, Usage
from inhouse.settings import Settings
from inhouse.stores.database import Database
from inhouse.stores.models import ModelStore

pytestmark = pytest.mark.model


@pytest.fixture
async def models(tmp_path: Path) -> AsyncIterator[Models]:
    """Models of which one is `seer`: it sees, and its template has tools."""
    weights = write_model(tmp_path / "seer.gguf", HERMES)
    eyes = write_projector(tmp_path / "eyes.gguf")
    entry = Entry(
        id="seer",
        source=f"file:{weights}",
        mmproj=str(eyes),
        abilities=abilities.EMBEDDED_TEXT,
        context_length=1024,
    )
    settings = Settings(data=tmp_path / "data", default_models=False, parallel=2)
    async with Database.open(settings.data, server=True) as database:
        store = ModelStore(database, FrozenClock())
        await store.put(entry.id, entry.json())
        models = Models(settings, store)
        await models.start()
        yield models
        await models.close()


async def test_a_model_sees_calls_and_counts(models: Models) -> None:
    model = await models.resolve("seer")
    assert abilities.VISION in model.abilities
    image = picture((200, 30, 30))
    question: Json = {"type": "text", "text": "What?"}
    looking = [{"role": "user", "content": [question, image]}]
    seen = (await _ask(models, messages=looking, max_tokens=5))[-1]
    asked = await models.count_chat(model, {"messages": [{"role": "user", "content": [question]}]})
    assert asked is not None
    assert seen.input == asked + 4  # tokens of an image

    tool: Json = {"type": "function", "function": {"name": "now"}}
    asking: Json = {"messages": [{"role": "user", "content": "What time is it?"}], "tools": [tool]}
    called = await _ask(models, **asking, tool_choice="required", max_tokens=60)
    assert [delta.name for delta in called if isinstance(delta, ToolCall) and delta.name] == ["now"]
    usage = called[-1]
    assert isinstance(usage, Usage)
    assert await models.count_chat(model, asking) == usage.input
    assert await models.count_chat(model, {"messages": looking}) is None


async def _ask(models: Models, **body: Any) -> list[Any]:
    engine = models.text(await models.resolve("seer"))
    call = TextCall("chat", body)
    return [delta async for batch in engine.generate(call) for delta in batch]
