"""What becomes of each parameter of a chat completion."""

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
    "chat_template_kwargs",
    "guided_json",
    "guided_regex",
    "guided_choice",
    "guided_grammar",
)

CHAT: Mapping[str, Parameter] = {
    "model": Parameter(Way.HERE),
    "messages": Parameter(Way.ENGINE),
    # sampling and length
    "frequency_penalty": Parameter(Way.ENGINE),
    "presence_penalty": Parameter(Way.ENGINE),
    "logit_bias": Parameter(Way.ENGINE),
    "max_tokens": Parameter(Way.ENGINE),
    "max_completion_tokens": Parameter(Way.ENGINE),
    "n": Parameter(Way.ENGINE),
    "seed": Parameter(Way.ENGINE),
    "stop": Parameter(Way.ENGINE),
    "temperature": Parameter(Way.ENGINE),
    "top_p": Parameter(Way.ENGINE),
    # what comes out
    "logprobs": Parameter(Way.ENGINE, abilities.LOGPROBS, idle=(False,)),
    "top_logprobs": Parameter(Way.ENGINE, abilities.LOGPROBS),
    "response_format": Parameter(Way.ENGINE, abilities.JSON_SCHEMA, idle=({"type": "text"},)),
    "stream": Parameter(Way.ENGINE),
    "stream_options": Parameter(Way.HERE),
    "modalities": Parameter(Way.REFUSED, idle=(["text"], [])),
    "audio": Parameter(Way.REFUSED),
    "moderation": Parameter(Way.REFUSED),
    # tools
    "tools": Parameter(Way.ENGINE, abilities.TOOLS),
    "tool_choice": Parameter(Way.ENGINE, abilities.TOOLS),
    "parallel_tool_calls": Parameter(Way.ENGINE, abilities.TOOLS),
    "functions": Parameter(Way.HERE, abilities.TOOLS),
    "function_call": Parameter(Way.HERE, abilities.TOOLS),
    "web_search_options": Parameter(Way.REFUSED),
    # hints
    "reasoning_effort": Parameter(Way.HINT),
    "verbosity": Parameter(Way.HINT),
    "service_tier": Parameter(Way.HINT),
    "prompt_cache_key": Parameter(Way.HINT),
    "prompt_cache_options": Parameter(Way.HINT),
    "prompt_cache_retention": Parameter(Way.HINT),
    "safety_identifier": Parameter(Way.NOTED),
    "user": Parameter(Way.NOTED),
    # the platform's own
    "prediction": Parameter(Way.HERE),
    "store": Parameter(Way.HERE),
    "metadata": Parameter(Way.HERE),
    # what users of open models expect
    **dict.fromkeys(_EXTENSIONS, Parameter(Way.ENGINE, abilities.EXTENSIONS)),
}
