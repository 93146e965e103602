"""client.completions"""

from functools import partial

from inhouse.agent.completions import encode, request, turns
from inhouse.agent.models import fingerprint, text_engine
from inhouse.agent.parameters import unsupported
from inhouse.context import Context
from inhouse.operations import Json, Result, Stream, operation


@operation("POST /completions", permission="model.request", model=True)
async def create(ctx: Context, body: Json) -> Result:
    """A model's continuation of texts: an object, or chunks as they come."""
    model = ctx.model
    assert model is not None  # noqa: S101 - dispatch resolved it
    engine = text_engine(ctx.models, model)
    plan = await request.plan(body, engine.abilities, partial(ctx.models.detokenize, model))
    tokenize = partial(ctx.models.tokenize, model)
    events = turns.run(plan, engine, ctx.scope, ctx.clock, tokenize, model.context_length)
    head = {
        "id": ctx.ids("cmpl-"),
        "object": "text_completion",
        "created": int(ctx.clock.now()),
        "model": model.id,
        "system_fingerprint": fingerprint(model),
    }
    if body.get("stream"):
        options = body.get("stream_options") or {}
        if options.get("include_obfuscation"):  # its chunks have no field for it
            raise unsupported("stream_options.include_obfuscation")
        include_usage = bool(options.get("include_usage"))
        return Stream(encode.chunks(events, plan, head, include_usage=include_usage))
    return await encode.completion(events, plan, head)
