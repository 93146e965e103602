"""What becomes of each parameter of a response."""

from collections.abc import Mapping

from inhouse.agent.parameters import Parameter, Way
from inhouse.engines import abilities

_EXTENSIONS = ("top_k", "min_p", "typical_p", "repetition_penalty", "chat_template_kwargs")

RESPONSE: Mapping[str, Parameter] = {
    "model": Parameter(Way.HERE),
    # what the model reads
    "input": Parameter(Way.HERE),
    "instructions": Parameter(Way.HERE),
    "previous_response_id": Parameter(Way.HERE),
    "conversation": Parameter(Way.HERE),
    "prompt": Parameter(Way.REFUSED),
    "truncation": Parameter(Way.HERE),
    "context_management": Parameter(Way.HERE),
    # sampling and length
    "max_output_tokens": Parameter(Way.HERE),
    "temperature": Parameter(Way.ENGINE),
    "top_p": Parameter(Way.ENGINE),
    # what comes out
    "text": Parameter(Way.HERE),
    "top_logprobs": Parameter(Way.HERE),
    "include": Parameter(Way.HERE),
    "stream": Parameter(Way.HERE),
    "stream_options": Parameter(Way.HERE),
    "reasoning": Parameter(Way.HERE),
    "image": Parameter(
        Way.REFUSED,
        idle=({}, *({"context_compression": each} for each in (None, "auto", "disabled"))),
    ),
    "moderation": Parameter(Way.REFUSED),
    # tools
    "tools": Parameter(Way.HERE),
    "tool_choice": Parameter(Way.HERE),
    "parallel_tool_calls": Parameter(Way.HERE),
    "max_tool_calls": Parameter(Way.HERE),
    # hints
    "service_tier": Parameter(Way.HINT),
    "prompt_cache_key": Parameter(Way.HINT),
    "prompt_cache_options": Parameter(Way.HERE),
    "prompt_cache_retention": Parameter(Way.HINT),
    "safety_identifier": Parameter(Way.NOTED),
    "user": Parameter(Way.NOTED),
    "client_metadata": Parameter(Way.NOTED),
    "access_programs": Parameter(Way.REFUSED, idle=({}, {"cyber": None}, {"cyber": "standard"})),
    # the platform's own
    "background": Parameter(Way.HERE),
    "background_options": Parameter(Way.HERE),
    "store": Parameter(Way.HERE),
    "metadata": Parameter(Way.HERE),
    # what users of open models expect
    **dict.fromkeys(_EXTENSIONS, Parameter(Way.ENGINE, abilities.EXTENSIONS)),
}
