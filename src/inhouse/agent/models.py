"""The text engine of a model, and the fingerprint of both."""

from hashlib import sha256

from inhouse import __version__
from inhouse.engines import abilities
from inhouse.engines.models import Model, Models
from inhouse.engines.text import TextEngine
from inhouse.errors import BadRequest


def text_engine(models: Models, model: Model) -> TextEngine:
    """The engine. BadRequest `model_not_supported` for a model that makes no text."""
    if abilities.TEXT not in model.abilities:
        raise BadRequest(
            f"The model `{model.id}` does not generate text.",
            param="model",
            code="model_not_supported",
        )
    return models.text(model)


def fingerprint(model: Model) -> str:
    """Names the model's source and this program's version: what an answer depends on besides the
    request.
    """
    told = f"{model.id}\n{model.engine}\n{model.source}\n{__version__}"
    return f"fp_{sha256(told.encode()).hexdigest()[:10]}"
