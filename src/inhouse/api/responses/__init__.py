"""client.responses"""

from inhouse.agent.obfuscation import obfuscated_events
from inhouse.agent.responses.included import shown
from inhouse.agent.responses.run import Events
from inhouse.context import Context
from inhouse.operations import Json, Result, Stream, operation


@operation("POST /responses", permission="model.request", model=True)
async def create(ctx: Context, body: Json) -> Result:
    """A model's response: an object, or its events as they come; or one that runs in the
    background.
    """
    assert ctx.model is not None  # noqa: S101 - dispatch resolved it
    if body.get("background"):
        made = await ctx.background.create(ctx.scope, ctx.model, body)
        if not body.get("stream"):
            return made
        events = ctx.follower.events(ctx.scope, made["id"])
    else:
        result = await ctx.runs.create(ctx.scope, ctx.model, body)
        if isinstance(result, dict):
            return result
        events = result
    return _stream(events, body.get("stream_options") or {})


@operation("GET /responses/{response_id}", permission="responses.read")
async def retrieve(ctx: Context, response_id: str, query: Json) -> Result:
    """A stored response, or its events from a sequence number on, as they come."""
    stored = await ctx.responses.get(ctx.scope, response_id)
    if not query.get("stream"):
        whole = await ctx.responses.whole(stored)
        include = query.get("include") or ()
        return {**whole, "output": [shown(item, include) for item in whole["output"]]}
    after = query.get("starting_after")
    events = ctx.follower.events(ctx.scope, response_id, -1 if after is None else after)
    return _stream(events, query)


@operation("DELETE /responses/{response_id}", permission="responses.write")
async def delete(ctx: Context, response_id: str) -> Json:
    """Delete a stored response; one that still runs in the background is stopped."""
    await ctx.background.delete(ctx.scope, response_id)
    return {"id": response_id, "object": "response", "deleted": True}


@operation("POST /responses/{response_id}/cancel", permission="responses.write")
async def cancel(ctx: Context, response_id: str) -> Json:
    """Stop a response that runs in the background."""
    return await ctx.background.cancel(ctx.scope, response_id)


@operation("POST /responses/compact", permission="model.request", model=True)
async def compact(ctx: Context, body: Json) -> Json:
    """A context in fewer tokens, to go on with."""
    assert ctx.model is not None  # noqa: S101 - dispatch resolved it
    return await ctx.runs.compact(ctx.scope, ctx.model, body)


def _stream(events: Events, options: Json) -> Stream:
    padded = options.get("include_obfuscation")
    return Stream(obfuscated_events(events) if padded else events, named=True)
