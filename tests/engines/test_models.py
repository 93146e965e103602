"""Which models a server has, under which names, and what happens to those that change."""

import asyncio
import socket

import pytest
from tests.engines.bench import Bench, Server

from inhouse.engines import abilities
from inhouse.engines.models import Load, Models
from inhouse.engines.scripted_models import scripted_entry
from inhouse.engines.scripted_server import ScriptedServer
from inhouse.engines.text import Text, TextCall
from inhouse.errors import NotFound, PermissionDenied, Unavailable
from inhouse.settings import Upstream

CALL = TextCall("chat", {"messages": [{"role": "user", "content": "x"}]})
TEXT_DEFAULT, VECTOR_DEFAULT = "smollm2-135m-instruct", "all-minilm-l6-v2"


async def said(models: Models, name: str) -> str:
    """What a model says."""
    engine = models.text(await models.resolve(name))
    batches = [batch async for batch in engine.generate(CALL)]
    return "".join(delta.text for batch in batches for delta in batch if isinstance(delta, Text))


async def ids(models: Models) -> list[str]:
    return [model.id for model in await models.list()]


async def test_a_fresh_folder_has_the_defaults_and_their_alias_rules(bench: Bench) -> None:
    models = await bench.models(default_models=True)
    assert await ids(models) == [VECTOR_DEFAULT, TEXT_DEFAULT]
    for name in ("gpt-4o", "gpt-5.2-mini", "o3", "o4-mini", "chatgpt-4o-latest"):
        assert (await models.resolve(name)).id == TEXT_DEFAULT
    found = await models.resolve("text-embedding-3-small")
    assert (found.id, found.dimensions, found.context_length) == (VECTOR_DEFAULT, 384, 512)
    assert set(await models.aliases()) == {"gpt-*", "chatgpt-*", "o[0-9]*", "text-embedding-*"}


@pytest.mark.parametrize("name", ["opus", "o", "other", "my-gpt-4", "GPT-4o", "", "gpt"])
async def test_other_names_are_not_found_in_openais_words(name: str, bench: Bench) -> None:
    models = await bench.models(default_models=True)
    with pytest.raises(NotFound) as refused:
        await models.resolve(name)
    assert refused.value.message == (
        f"The model `{name}` does not exist or you do not have access to it."
    )
    assert (refused.value.code, refused.value.param) == ("model_not_found", "model")


async def test_the_default_rules_can_be_left_out(bench: Bench) -> None:
    models = await bench.models(default_models=True, aliases=False)
    assert await models.aliases() == {}
    with pytest.raises(NotFound):
        await models.resolve("gpt-4o")


async def test_a_rule_that_was_removed_does_not_come_back(bench: Bench) -> None:
    models = await bench.models(default_models=True)
    assert (await models.resolve("gpt-4o")).id == TEXT_DEFAULT
    await bench.store.remove_alias("gpt-*")
    with pytest.raises(NotFound):
        await models.resolve("gpt-4o")
    again = await bench.models(default_models=True)
    with pytest.raises(NotFound):
        await again.resolve("gpt-4o")


async def test_defaults_load_in_the_background_from_the_start(bench: Bench) -> None:
    await bench.models(default_models=True)
    await asyncio.sleep(0.01)
    assert sorted(bench.loader.loaded) == [VECTOR_DEFAULT, TEXT_DEFAULT]


async def test_own_names_come_before_aliases_and_longer_rules_before_shorter(
    bench: Bench,
) -> None:
    for name in ("gpt-mine", "one", "two", "three"):
        await bench.put(name)
    await bench.store.put_alias("gpt-*", "one")
    await bench.store.put_alias("gpt-5*", "two")
    await bench.store.put_alias("gpt-5-nano", "three")
    models = await bench.models()
    found = {name: (await models.resolve(name)).id for name in ("gpt-mine", "gpt-4", "gpt-5.1")}
    assert found == {"gpt-mine": "gpt-mine", "gpt-4": "one", "gpt-5.1": "two"}
    assert (await models.resolve("gpt-5-nano")).id == "three"


async def test_an_alias_to_nothing_is_not_found(bench: Bench) -> None:
    await bench.store.put_alias("old", "gone")
    models = await bench.models()
    with pytest.raises(NotFound):
        await models.resolve("old")


async def test_what_changes_beside_the_server_counts_at_once(bench: Bench) -> None:
    models = await bench.models()
    assert await ids(models) == []
    await bench.put("new")
    assert (await models.resolve("new")).id == "new"
    await bench.store.put_alias("also", "new")
    assert (await models.resolve("also")).id == "new"


async def test_a_model_loads_when_it_is_first_asked(bench: Bench) -> None:
    await bench.put("plain")
    models = await bench.models()
    assert bench.loader.loaded == []
    assert await said(models, "plain") == "hi"
    assert bench.loader.loaded == ["plain"]
    assert [(load.model, load.state, load.running) for load in models.loads()] == [
        ("plain", "loaded", 0)
    ]


async def test_the_budget_of_the_settings_holds(bench: Bench) -> None:
    bench.loader.size = 2
    for name in "abc":
        await bench.put(name)
    models = await bench.models(memory_budget_bytes=5)
    for name in "abc":
        await said(models, name)
    assert bench.loader.stopped == ["a"]
    bench.loader.size = 6
    with pytest.raises(Unavailable) as refused:
        await said(models, "a")
    assert refused.value.code == "model_does_not_fit"


async def test_a_deleted_model_is_gone_with_its_weights_and_its_process(bench: Bench) -> None:
    await bench.put("plain")
    weights = bench.folder / "models" / "plain" / "x.gguf"
    weights.parent.mkdir(parents=True)
    weights.touch()
    models = await bench.models()
    await said(models, "plain")
    found = await models.resolve("plain")
    await models.delete("plain")
    await asyncio.sleep(0.01)
    assert bench.loader.stopped == ["plain"]
    assert not weights.parent.exists()
    with pytest.raises(NotFound):
        await models.resolve("plain")
    with pytest.raises(NotFound):
        models.text(found)
    with pytest.raises(NotFound):
        await models.delete("plain")


async def test_weights_in_a_shared_cache_stay_when_a_model_is_deleted(
    bench: Bench, tmp_path_factory: pytest.TempPathFactory
) -> None:
    shared = tmp_path_factory.mktemp("shared")
    weights = shared / "plain" / "x.gguf"
    weights.parent.mkdir(parents=True)
    weights.touch()
    await bench.put("plain")
    models = await bench.models(models=shared)
    await models.delete("plain")
    assert weights.exists()
    with pytest.raises(NotFound):
        await models.resolve("plain")


async def test_a_model_that_was_pulled_anew_is_loaded_anew(bench: Bench) -> None:
    await bench.put("plain")
    models = await bench.models()
    await said(models, "plain")
    changed = scripted_entry("plain", context_length=99)
    await bench.store.put("plain", changed.json())
    await said(models, "plain")
    assert (bench.loader.loaded, bench.loader.stopped) == (["plain", "plain"], ["plain"])
    assert (await models.resolve("plain")).context_length == 99


async def test_tokens_are_those_of_the_model(bench: Bench) -> None:
    await bench.put("plain")
    models = await bench.models()
    model = await models.resolve("plain")
    assert await models.tokenize(model, "ab") == [97, 98]
    assert await models.detokenize(model, [97, 98]) == "ab"


async def test_a_chat_is_counted_by_the_model_that_would_answer_it(
    bench: Bench, upstream: Server
) -> None:
    await bench.put("plain")
    models = await bench.models(Upstream(name="gpu", base_urls=(upstream.url,), models=("v",)))
    body = {
        "messages": [{"role": "user", "content": [{"type": "text", "text": "two words"}]}],
        "tools": [{"name": "f"}],
    }
    assert await models.count_chat(await models.resolve("plain"), body) == 4
    assert bench.loader.loaded == ["plain"]
    assert await models.count_chat(await models.resolve("v"), body) is None


async def test_what_an_upstream_lists_is_listed_and_resolved(
    bench: Bench, upstream: Server
) -> None:
    upstream.models = [{"id": "qwen", "created": 7, "owned_by": "them", "max_model_len": 99}]
    models = await bench.models(Upstream(name="gpu", base_urls=(upstream.url,)))
    found = await models.resolve("qwen")
    assert (found.owned_by, found.created, found.context_length) == ("them", 7, 99)
    assert (found.engine, found.source) == ("upstream", "upstream:gpu")
    assert await ids(models) == ["qwen"]
    with pytest.raises(PermissionDenied):
        await models.delete("qwen")


async def test_a_model_of_an_upstream_tells_how_busy_it_is(bench: Bench) -> None:
    server = ScriptedServer(chunks=1)
    models = await bench.models(Upstream(name="gpu", base_urls=(await server.start(),)))
    assert models.loads() == []
    assert await said(models, "scripted") == "0 "
    assert models.loads() == [Load("scripted", "loaded", waiting=0, running=0)]
    await server.stop()


async def test_an_upstream_that_fails_breaks_neither_the_start_nor_the_list(
    bench: Bench, upstream: Server
) -> None:
    upstream.status = 500
    await bench.put("mine")
    with socket.create_server(("127.0.0.1", 0)) as free:
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    models = await bench.models(
        Upstream(name="sick", base_urls=(upstream.url,), retries=0),
        Upstream(name="gone", base_urls=(nobody,), retries=0),
        Upstream(name="named", base_urls=(nobody,), models=("theirs",)),
    )
    assert await ids(models) == ["mine", "theirs"]


async def test_what_an_upstream_offers_later_is_found_after_a_refresh(
    bench: Bench, upstream: Server
) -> None:
    upstream.models = [{"id": "first"}]
    models = await bench.models(Upstream(name="gpu", base_urls=(upstream.url,)))
    await models.resolve("first")
    upstream.models = [{"id": "second"}]
    await models._upstreams.refresh()
    assert (await models.resolve("second")).id == "second"
    with pytest.raises(NotFound):
        await models.resolve("first")
    upstream.status = 503
    await models._upstreams.refresh()  # a failure keeps what was known
    assert (await models.resolve("second")).id == "second"


async def test_models_here_come_before_those_of_upstreams(bench: Bench, upstream: Server) -> None:
    upstream.models = [{"id": "same"}]
    await bench.put("same")
    models = await bench.models(Upstream(name="gpu", base_urls=(upstream.url,)))
    assert await ids(models) == ["same"]
    assert (await models.resolve("same")).engine == "embedded"


async def test_abilities_of_embedding_models_are_their_entrys(bench: Bench) -> None:
    await bench.put("v", frozenset({abilities.EMBEDDINGS}))
    models = await bench.models()
    model = await models.resolve("v")
    assert model.abilities == {abilities.EMBEDDINGS}
    assert len((await models.embeddings(model).embed(["a"])).vectors[0]) == model.dimensions
