"""Token counts as chat and legacy completions report them."""

from inhouse.agent.turn import Predicted
from inhouse.engines.text import Json, Usage

_NOTHING_PREDICTED = Predicted(0, 0)


def usage_object(usage: Usage, predicted: Predicted | None = None) -> Json:
    """A `CompletionUsage`.

    Rejected prediction tokens are told and not added to the completion's: nothing is generated for
    them here.
    """
    predicted = predicted or _NOTHING_PREDICTED
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": predicted.accepted,
            "rejected_prediction_tokens": predicted.rejected,
        },
    }
