"""client.chat.completions"""

from contextlib import suppress
from functools import partial

from inhouse.agent.chat import encode, request, stored
from inhouse.agent.models import fingerprint, text_engine
from inhouse.agent.obfuscation import obfuscated
from inhouse.agent.prediction import compared
from inhouse.agent.turn import take
from inhouse.context import Context
from inhouse.engines.text import TextCall
from inhouse.errors import NotFound
from inhouse.fetch import read_image
from inhouse.operations import Json, Result, Stream, operation
from inhouse.stores.page import Page


@operation("POST /chat/completions", permission="model.request", model=True)
async def create(ctx: Context, body: Json) -> Result:
    """A model's answer to a conversation: an object, or chunks as they come."""
    scope, model = ctx.scope, ctx.model
    assert model is not None  # noqa: S101 - dispatch resolved it
    engine = text_engine(ctx.models, model)
    asked = await request.engine_body(
        body, engine.abilities, partial(read_image, fetcher=ctx.fetcher)
    )
    call = TextCall("chat", asked, scope.project or "", scope.priority, scope.deadline)
    events = take(engine, call, scope.usage, ctx.clock)
    if (prediction := request.prediction_text(body)) is not None:
        tokenize = partial(ctx.models.tokenize, model)
        events = compared(events, prediction, tokenize, model.context_length)
    options = body.get("stream_options") or {}
    telling = encode.Telling(
        head=encode.Head(
            ctx.ids("chatcmpl-"),
            int(ctx.clock.now()),
            model.id,
            fingerprint(model),
            request.service_tier(body),
        ),
        legacy=bool(body.get("functions")),
        include_usage=bool(options.get("include_usage")),
        keep=stored.keeper(ctx.chats, scope, body) if body.get("store") else None,
    )
    if body.get("stream"):
        chunks = encode.chunks(events, telling)
        return Stream(obfuscated(chunks) if options.get("include_obfuscation") else chunks)
    return await encode.completion(events, telling)


@operation("GET /chat/completions/{completion_id}", permission="chat.completions.read")
async def retrieve(ctx: Context, completion_id: str) -> Json:
    """A stored completion."""
    return await ctx.chats.get(ctx.scope, completion_id)


@operation("GET /chat/completions", permission="chat.completions.read")
async def list(ctx: Context, query: Json) -> Json:  # noqa: A001 - the SDK's name
    """Stored completions, oldest first unless asked otherwise; of one model, also by an alias."""
    page = Page(
        after=query.get("after"),
        limit=query.get("limit") or 20,
        order=query.get("order") or "asc",
    )
    name = query.get("model")
    if name is not None:
        with suppress(NotFound):  # completions outlive their models
            name = (await ctx.models.resolve(name)).id
    found = await ctx.chats.list(ctx.scope, page, model=name, metadata=query.get("metadata"))
    return found.body()


@operation("POST /chat/completions/{completion_id}", permission="chat.completions.write")
async def update(ctx: Context, completion_id: str, body: Json) -> Json:
    """Replace a stored completion's metadata."""
    return await ctx.chats.update(ctx.scope, completion_id, body["metadata"] or {})


@operation("DELETE /chat/completions/{completion_id}", permission="chat.completions.write")
async def delete(ctx: Context, completion_id: str) -> Json:
    """Delete a stored completion and its messages."""
    await ctx.chats.delete(ctx.scope, completion_id)
    return {"object": "chat.completion.deleted", "id": completion_id, "deleted": True}
