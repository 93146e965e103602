"""client.models"""

from inhouse.context import Context
from inhouse.engines.models import Model
from inhouse.operations import Json, operation


@operation("GET /models", permission="models.read")
async def list(ctx: Context) -> Json:  # noqa: A001 - the SDK's name
    """The models that can be asked for by their own name, and the aliases without wildcards."""
    return {"object": "list", "data": [_wire(model) for model in await ctx.models.list()]}


@operation("GET /models/{model}", permission="models.read")
async def retrieve(ctx: Context, model: str) -> Json:
    """One model, also by an alias; 404 `model_not_found`."""
    return _wire(await ctx.models.resolve(model))


@operation("DELETE /models/{model}", permission="models.write")
async def delete(ctx: Context, model: str) -> Json:
    """Remove a model that was pulled here; 403 for those that the server's configuration names."""
    await ctx.models.delete(model)
    return {"id": model, "object": "model", "deleted": True}


def _wire(model: Model) -> Json:
    return {
        "id": model.id,
        "object": "model",
        "created": model.created,
        "owned_by": model.owned_by,
    }
