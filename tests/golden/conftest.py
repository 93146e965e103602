"""A house whose time stands still and whose ids are counted, so that transcripts repeat.

`INHOUSE_GOLDEN=write pytest tests/golden` writes the transcripts anew; the change is reviewed as a
diff.
"""

import json
import os
import re
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.asgi import ask
from tests.conftest import KEY, MODELS

from inhouse.app import edge
from inhouse.clock import FrozenClock
from inhouse.engines.models import Models
from inhouse.engines.scripted import Scripted, answer
from inhouse.engines.scripted_models import ScriptedLoader, scripted_entry
from inhouse.services import Services
from inhouse.settings import Settings

Golden = Callable[[str, dict[str, Any]], Awaitable[None]]
TRANSCRIPTS = Path(__file__).parent / "transcripts"
_FINGERPRINT = re.compile(r"fp_[0-9a-f]{10}")


class CountedIds:
    """`chatcmpl-1`, `chatcmpl-2` ..., counted by prefix."""

    def __init__(self) -> None:
        self._counts = Counter[str]()

    def __call__(self, prefix: str) -> str:
        self._counts[prefix] += 1
        return f"{prefix}{self._counts[prefix]}"


@pytest.fixture
def engine() -> Scripted:
    return Scripted(answer("Hello", " there", "."))


@pytest.fixture
async def golden(
    tmp_path: Path, engine: Scripted, request: pytest.FixtureRequest
) -> AsyncGenerator[Golden]:
    """Posts a body and compares, byte for byte, what a client receives with the test's file.

    JSON bodies are indented; the fingerprint, which changes with the version, is made even.
    """
    loader = ScriptedLoader(engine)
    settings = Settings(data=tmp_path / "data", default_models=False)
    services = await Services.open(
        settings,
        clock=FrozenClock(),
        ids=CountedIds(),
        models=lambda store: Models(settings, store, loader=loader),
    )
    for name, able in MODELS.items():
        await services.model_store.put(name, scripted_entry(name, able).json())
    await services.access.bootstrap(KEY)
    app = edge(services)
    seen: list[str] = []

    async def golden(path: str, body: dict[str, Any]) -> None:
        headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
        got = await ask(app, "POST", path, headers=headers, body=json.dumps(body).encode())
        streamed = got.headers["content-type"].startswith("text/event-stream")
        text = got.body.decode() if streamed else json.dumps(got.json(), indent=2) + "\n"
        seen.append(f"POST {path} {json.dumps(body)}\n\n{text}")

    yield golden
    await services.close()
    _compare(request.node.name, _FINGERPRINT.sub("fp_0000000000", "\n".join(seen)))


def _compare(name: str, text: str) -> None:
    file = TRANSCRIPTS / f"{name.removeprefix('test_')}.txt"
    if os.environ.get("INHOUSE_GOLDEN") == "write":
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    assert file.exists(), f"{file.name} is missing; INHOUSE_GOLDEN=write makes it"
    assert text == file.read_text()
