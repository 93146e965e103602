"""Filling in the middle: a legacy prompt with a suffix, marked as the model was trained to read it.

Which tokens mark what stands in the model's file; the child shows them when it is asked to fill in
something between two known texts.
"""

from dataclasses import dataclass

from inhouse.engines.client_endpoints import Endpoints
from inhouse.engines.embedded.sizes import Prompt
from inhouse.errors import APIError, BadRequest

_BEFORE, _AFTER = "BEFORE", "AFTER"


@dataclass(frozen=True, slots=True)
class Middle:
    """Token ids that stand before the prompt, between prompt and suffix, and after the suffix."""

    before: tuple[int, ...]
    between: tuple[int, ...]
    after: tuple[int, ...]

    def marked(self, prompt: Prompt, suffix: str) -> list[int | str]:
        """The prompt to complete: token ids and texts, one after the other."""
        given = [prompt] if isinstance(prompt, str) else prompt
        return [*self.before, *given, *self.between, suffix, *self.after]


async def find(endpoints: Endpoints) -> Middle:
    """How the model at `endpoints` marks it. Raises `BadRequest` if it does not."""
    asked = {"input_prefix": _BEFORE, "input_suffix": _AFTER, "n_predict": 0}
    try:
        prompt: str = (await endpoints.ask("/infill", asked))["prompt"]
    except APIError as error:
        raise no_suffix() from error
    before, found, rest = prompt.partition(_BEFORE)
    between, last, after = rest.partition(_AFTER)
    if not (found and last and before and after):
        raise no_suffix()
    ids = [await _ids(endpoints, each) for each in (before, between, after)]
    return Middle(*ids)


def no_suffix() -> BadRequest:
    """What a model is told that knows no suffix."""
    return BadRequest(
        "Unsupported parameter: 'suffix' is not supported with this model.",
        param="suffix",
        code="unsupported_parameter",
    )


async def _ids(endpoints: Endpoints, markers: str) -> tuple[int, ...]:
    asked = {"content": markers, "add_special": False, "parse_special": True}
    return tuple((await endpoints.ask("/tokenize", asked))["tokens"])
