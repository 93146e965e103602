"""The vectors of an upstream's model, and what is made of its answers."""

import base64
from array import array
from typing import Any

import pytest
from tests.engines.bench import Bench, Server

from inhouse.errors import APIError, BadRequest
from inhouse.settings import Upstream


def _packed(values: list[float]) -> str:
    return base64.b64encode(array("f", values).tobytes()).decode()


async def vectors(
    bench: Bench, server: Server, texts: list[str], dimensions: int | None = None
) -> Any:
    models = await bench.models(Upstream(name="gpu", base_urls=(server.url,), models=("v",)))
    return await models.embeddings(await models.resolve("v")).embed(texts, dimensions=dimensions)


async def test_an_upstreams_vectors_come_in_order_and_of_unit_length(
    bench: Bench, upstream: Server
) -> None:
    def embed(body: dict[str, Any]) -> tuple[int, Any]:
        items = [
            {"index": index, "embedding": _packed([3.0, 4.0, float(text)])}
            for index, text in enumerate(body["input"])
        ]
        return 200, {"data": items[::-1], "usage": {"prompt_tokens": len(items)}}

    upstream.embed = embed
    result = await vectors(bench, upstream, ["0"] * 300 + ["5"], dimensions=3)
    assert [len(asked["input"]) for asked in upstream.asked] == [256, 45]
    assert upstream.asked[0]["dimensions"] == 3
    assert list(result.vectors[0]) == pytest.approx([0.6, 0.8, 0.0])
    assert result.vectors[300][2] == pytest.approx(5 / 50**0.5)
    assert (len(result.vectors), result.tokens) == (301, 301)


async def test_an_upstream_may_answer_with_lists_of_numbers(bench: Bench, upstream: Server) -> None:
    upstream.embed = lambda _: (200, {"data": [{"index": 0, "embedding": [0.6, 0.8]}]})
    result = await vectors(bench, upstream, ["a"])
    assert list(result.vectors[0]) == pytest.approx([0.6, 0.8])


async def test_an_upstreams_overflow_is_told_in_openais_words(
    bench: Bench, upstream: Server
) -> None:
    upstream.embed = lambda _: (
        400,
        {
            "error": {
                "message": "This model's maximum context length is 512 tokens. However, you "
                "requested 600 tokens in the input for embedding generation.",
                "type": "BadRequestError",
            }
        },
    )
    with pytest.raises(BadRequest) as refused:
        await vectors(bench, upstream, ["a"])
    assert refused.value.message.startswith(
        "This model's maximum context length is 512 tokens, however you requested 600 tokens"
    )
    assert (refused.value.code, refused.value.param) == ("context_length_exceeded", "input")


@pytest.mark.parametrize(
    "value",
    [
        {"data": []},
        {"data": [{"embedding": "not base64!"}]},
        {"data": [{"embedding": "AAA="}]},
        {"nothing": 1},
    ],
)
async def test_an_upstreams_nonsense_is_a_server_error(
    value: Any, bench: Bench, upstream: Server
) -> None:
    upstream.embed = lambda _: (200, value)
    with pytest.raises(APIError) as refused:
        await vectors(bench, upstream, ["a"])
    assert refused.value.status == 500
