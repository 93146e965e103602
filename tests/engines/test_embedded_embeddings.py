"""The default embedding model on the embedded engine, held against plain numpy."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from tests.engines.catalogue.bert_reference import Reference

from inhouse.engines.catalogue import seed
from inhouse.engines.catalogue.pull import present, pull
from inhouse.engines.embedded.spec import ChildSpec
from inhouse.engines.embedded.supervisor import Child
from inhouse.engines.embedded_embeddings import EmbeddedEmbeddings
from inhouse.errors import BadRequest, RateLimited, Unavailable

pytestmark = pytest.mark.model

ENTRY = seed().entries["all-minilm-l6-v2"]
TEXTS = [
    "hello world",
    "a",
    "42",
    "!!!",
    "The server prints its key once; it isn't logged.",
    "Grüße aus München, naïve café - dash",
    "世界 is the world",
    "日本語のテキスト、カタカナと㐀",
    "한국어 문장입니다. 오늘은 날씨가 좋습니다.",
    "Привет, мир! Ёлка и йод",
    "مرحبا بالعالم",
    "שלום עולם",
    "ΑΒΓΔ Ελληνικά ς",
    "Việt Nam, tiếng Việt",
    "İstanbul, straße, STRASSE, Ångström, ﬁ, ½, x², H₂O",
    "e\u0301 a\u200bb soft\u00adhyphen non\u00a0breaking \ufffd \x07",
    "😀 emoji 👩\u200d👩\u200d👧 🇩🇪",
    "\u201cquotes\u201d \u2018single\u2019 «guillemets» ¿Qué? ¡Sí! $5 + €6 = £7 ^ ` ~ | <b>",
    "tabs\tand\nlines\r\nand\u2028others",
    "snake_case camelCase kebab-case C++ C# @user #tag",
    "Mail a.b@c.example or see https://x.example/y?q=1&r=%20",
    "1,234.56 on 2026-11-24 at 12:35",
    "##ing ▁word",
    "SELECT * FROM users WHERE name = 'Robert'; DROP TABLE students;--",
    '{"json": [1, 2, {"key": null}], "text": "a\\nb"}',
    "don't can't it's don\u2019t\u2014em\u2013en",
    "def f(x):\n    return x**2  # square\n",
    "antidisestablishmentarianism and other unaffable tokenizations",
    " ".join(["The quick brown fox jumps over the lazy dog."] * 20),
    "Vectors of two texts are close when the texts mean the same. " * 30,
]


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model cache that `make test` fills, or one that is filled for these tests."""
    there = os.environ.get("INHOUSE_MODELS")
    if there and present(ENTRY, Path(there)):
        return Path(there)
    fresh = tmp_path_factory.mktemp("models")
    asyncio.run(pull(ENTRY, fresh))
    return fresh


@pytest.fixture
async def child(cache: Path, tmp_path: Path) -> AsyncIterator[Child]:
    path = present(ENTRY, cache)
    assert path is not None
    spec = ChildSpec(path, embedding=True, context_length=512, parallel=4, cache_mib=0)
    child = Child(spec, tmp_path / "run")
    await child.start()
    yield child
    await child.stop()


@pytest.fixture
async def engine(child: Child) -> AsyncIterator[EmbeddedEmbeddings]:
    engine = EmbeddedEmbeddings(child, ENTRY.context_length, 384, wordpiece=True)
    yield engine
    await engine.close()


async def test_vectors_and_token_counts_are_those_of_the_published_weights(
    engine: EmbeddedEmbeddings, tmp_path: Path
) -> None:

    published = replace(ENTRY, id="published", convert=None)
    weights = (await pull(published, tmp_path)).path
    reference = Reference(weights.parent)
    result = await engine.embed(TEXTS)
    likeness = [
        float(np.dot(reference.embed(text), vector))
        for text, vector in zip(TEXTS, result.vectors, strict=True)
    ]
    assert min(likeness) >= 0.9999
    assert result.tokens == sum(len(reference.tokens(text)) for text in TEXTS)


async def test_many_inputs_come_back_in_order_and_of_unit_length(
    engine: EmbeddedEmbeddings,
) -> None:
    texts = [f"{number}" for number in range(2048)]
    result = await engine.embed(texts)
    assert len(result.vectors) == 2048
    assert all(abs(_product(vector, vector) - 1) < 1e-4 for vector in result.vectors)
    for number in (0, 31, 32, 1000, 2047):
        alone = (await engine.embed([texts[number]])).vectors[0]
        assert _product(alone, result.vectors[number]) > 0.999
    assert all(_product(one, next_) < 0.9999 for one, next_ in pairwise(result.vectors[:50]))


async def test_the_context_is_used_to_its_last_token_and_no_further(
    engine: EmbeddedEmbeddings,
) -> None:
    assert (await engine.embed(["hello " * 510])).tokens == 512  # with [CLS] and [SEP]
    for count in (511, 600, 5000):
        with pytest.raises(BadRequest) as refused:
            await engine.embed(["fine"] * 40 + ["hello " * count])
        assert refused.value.message.startswith(
            f"This model's maximum context length is 512 tokens, however you requested {count + 2}"
        )
        assert refused.value.code == "context_length_exceeded"
        assert refused.value.param == "input[40]"
    with pytest.raises(BadRequest) as refused:
        await engine.embed(["hello " * 511])
    assert refused.value.param == "input"


async def test_a_text_far_over_the_context_is_refused_without_the_engine(
    engine: EmbeddedEmbeddings, child: Child
) -> None:
    await child.stop()
    with pytest.raises(BadRequest, match="maximum context length is 512"):
        await engine.embed(["x" * 10_000_000])


async def test_a_small_request_of_another_project_does_not_wait_for_a_large_one(
    engine: EmbeddedEmbeddings,
) -> None:
    large = asyncio.create_task(engine.embed(["some words to embed " * 5] * 1000, project="a"))
    await asyncio.sleep(0.2)
    await engine.embed(["hello"], project="b")
    assert not large.done()
    large.cancel()
    with pytest.raises(asyncio.CancelledError):
        await large
    async with asyncio.timeout(30):
        await engine.embed(["hello"], project="b")  # what was cancelled holds no turn


async def test_the_queue_is_bounded_in_length_and_in_wait(child: Child) -> None:
    text = ["some words to embed " * 5] * 32
    full = EmbeddedEmbeddings(child, 512, 384, length=0)
    busy = [asyncio.create_task(full.embed(text)) for _ in range(2)]
    await asyncio.sleep(0.05)
    with pytest.raises(RateLimited):
        await full.embed(["hello"])
    await asyncio.gather(*busy)
    hasty = EmbeddedEmbeddings(child, 512, 384, wait_seconds=0.01)
    busy = [asyncio.create_task(hasty.embed(text)) for _ in range(2)]
    await asyncio.sleep(0.05)
    with pytest.raises(Unavailable):
        await hasty.embed(["hello"])
    await asyncio.gather(*busy)
    await full.close()
    await hasty.close()


async def test_after_a_crash_of_the_engine_the_next_request_works(
    engine: EmbeddedEmbeddings, child: Child
) -> None:
    await engine.embed(["hello"])
    assert child.pid
    os.kill(child.pid, signal.SIGKILL)
    await asyncio.sleep(0.05)
    assert len((await engine.embed(["hello"])).vectors) == 1


async def test_other_dimensions_are_refused(engine: EmbeddedEmbeddings) -> None:
    assert len((await engine.embed(["a"], dimensions=384)).vectors[0]) == 384
    with pytest.raises(BadRequest) as refused:
        await engine.embed(["a"], dimensions=100)
    assert refused.value.param == "dimensions"


def _product(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))
