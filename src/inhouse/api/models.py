"""client.models"""

from inhouse.context import Context
from inhouse.engines.models import Model
from inhouse.errors import PermissionDenied
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
    """Remove a model that was pulled here, weights and all; 403 for those that the server's
    configuration names, and for keys that are not an owner's: all projects share the models.
    """
    if ctx.scope.principal.role != "owner":
        raise PermissionDenied(
            "You have insufficient permissions for this operation. Missing scopes: api.delete."
            " Models are shared by all projects: deleting one needs a key of an owner."
        )
    await ctx.models.delete(model)
    return {"id": model, "object": "model", "deleted": True}


def _wire(model: Model) -> Json:
    return {
        "id": model.id,
        "object": "model",
        "created": model.created,
        "owned_by": model.owned_by,
    }
