"""The text engine of a model, and the fingerprint of both."""

from functools import lru_cache
from hashlib import sha256
from typing import Protocol

from inhouse import __version__
from inhouse.engines import abilities
from inhouse.engines.model import Model
from inhouse.engines.text import TextEngine
from inhouse.errors import BadRequest


class TextModels(Protocol):
    """Has the engines of models that run; `engines.models.Models` is one."""

    def text(self, model: Model) -> TextEngine: ...


def text_engine(models: TextModels, model: Model) -> TextEngine:
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
    return _fingerprint(model.id, model.engine, model.source)


@lru_cache(maxsize=1000)
def _fingerprint(*parts: str) -> str:
    told = "\n".join([*parts, __version__])
    return f"fp_{sha256(told.encode()).hexdigest()[:10]}"
