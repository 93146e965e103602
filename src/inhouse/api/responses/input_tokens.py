"""client.responses.input_tokens"""

from inhouse.context import Context
from inhouse.operations import Json, operation


@operation("POST /responses/input_tokens", permission="model.request", model=True)
async def count(ctx: Context, body: Json) -> Json:
    """How many tokens a model would read for a request."""
    assert ctx.model is not None  # noqa: S101 - dispatch resolved it
    return await ctx.runs.count(ctx.scope, ctx.model, body)
