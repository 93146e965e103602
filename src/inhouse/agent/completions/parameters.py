"""What becomes of each parameter of a legacy completion."""

from collections.abc import Mapping

from inhouse.agent.parameters import Parameter, Way
from inhouse.engines import abilities

_EXTENSIONS = (
    "top_k",
    "min_p",
    "typical_p",
    "repetition_penalty",
    "min_tokens",
    "ignore_eos",
    "guided_json",
    "guided_regex",
    "guided_choice",
    "guided_grammar",
)

COMPLETION: Mapping[str, Parameter] = {
    "model": Parameter(Way.HERE),
    "prompt": Parameter(Way.HERE),
    # sampling and length
    "frequency_penalty": Parameter(Way.ENGINE),
    "presence_penalty": Parameter(Way.ENGINE),
    "logit_bias": Parameter(Way.ENGINE),
    "max_tokens": Parameter(Way.ENGINE),
    "n": Parameter(Way.ENGINE),
    "seed": Parameter(Way.ENGINE),
    "stop": Parameter(Way.ENGINE),
    "temperature": Parameter(Way.ENGINE),
    "top_p": Parameter(Way.ENGINE),
    # what comes out
    "best_of": Parameter(Way.HERE),
    "echo": Parameter(Way.HERE),
    "logprobs": Parameter(Way.ENGINE, abilities.LOGPROBS),
    "stream": Parameter(Way.ENGINE),
    "stream_options": Parameter(Way.HERE),
    "suffix": Parameter(Way.ENGINE, abilities.SUFFIX, idle=("",)),
    # hints
    "user": Parameter(Way.NOTED),
    # what users of open models expect
    **dict.fromkeys(_EXTENSIONS, Parameter(Way.ENGINE, abilities.EXTENSIONS)),
}
