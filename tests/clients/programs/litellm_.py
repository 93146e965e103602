"""litellm: chat completions and Responses through its OpenAI provider."""

import os
from typing import Any

import litellm

litellm.suppress_debug_info = True
litellm.telemetry = False
BASE = {"model": "openai/gpt-5.2", "api_base": os.environ["OPENAI_BASE_URL"], "num_retries": 0}
PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}
ASK = 'Use get_weather {"city": "Paris"}'

tools: list[Any] = [
    {"type": "function", "function": {"name": "get_weather", "parameters": PARAMETERS}}
]
messages: list[Any] = [{"role": "user", "content": ASK}]
first: Any = litellm.completion(**BASE, messages=messages, tools=tools)
message = first.choices[0].message
(call,) = message.tool_calls
assert call.function.arguments == '{"city": "Paris"}', first
messages += [message, {"role": "tool", "tool_call_id": call.id, "content": "sunny"}]
second: Any = litellm.completion(**BASE, messages=messages, tools=tools)
assert second.choices[0].message.content == "The tool said: sunny", second
stream: Any = litellm.completion(**BASE, messages=messages, tools=tools, stream=True)
text = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
assert text == "The tool said: sunny", text
print("chat a tool's turn, and streamed:", text)

tools = [{"type": "function", "name": "get_weather", "parameters": PARAMETERS}]
first = litellm.responses(**BASE, input=ASK, tools=tools)
call = next(item for item in first.output if item.type == "function_call")
output = {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
given = [{"role": "user", "content": ASK}, call.model_dump(exclude_none=True), output]
second = litellm.responses(**BASE, input=given, tools=tools)
assert second.output[0].content[0].text == "The tool said: sunny", second
events = list(litellm.responses(**BASE, input="Say hello.", stream=True))
text = "".join(getattr(event, "delta", "") for event in events if "text.delta" in event.type)
assert text == "Heard: Say hello.", events
print("responses a tool's turn, and streamed:", text)
