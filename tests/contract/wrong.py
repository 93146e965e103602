"""Wrong requests and their refusals in OpenAI's words: (operation, body, message, param, code)."""

from typing import Any

CHAT = "POST /chat/completions"
COMPLETIONS = "POST /completions"
EMBEDDINGS = "POST /embeddings"
RESPONSES = "POST /responses"
STORES = "POST /vector_stores"
BATCHES = "POST /batches"
TUNING = "POST /fine_tuning/jobs"

HI = {"role": "user", "content": "hi"}
TOOL = {"type": "function", "function": {"name": "f"}}

Row = tuple[str, Any, str, str, str]


def chat(**fields: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [HI], **fields}


def missing(key: str, body: Any, param: str) -> Row:
    message = f"Missing required parameter: '{param}'."
    return (key, body, message, param, "missing_required_parameter")


def unknown(key: str, body: Any, param: str) -> Row:
    return (key, body, f"Unknown parameter: '{param}'.", param, "unknown_parameter")


def kind(key: str, body: Any, param: str, expected: str, got: str) -> Row:
    message = f"Invalid type for '{param}': expected {expected}, but got {got} instead."
    return (key, body, message, param, "invalid_type")


def value(key: str, body: Any, param: str, got: str, supported: str) -> Row:
    return (key, body, f"Invalid value: {got}. {supported}", param, "invalid_value")


def limit(key: str, body: Any, param: str, code: str, text: str) -> Row:
    return (key, body, f"Invalid '{param}': {text}", param, code)


NAME = "string does not match pattern. Expected a string that matches the pattern"

WRONG: list[Row] = [
    # what is missing
    missing(CHAT, {}, "messages"),
    missing(CHAT, {"messages": [HI]}, "model"),
    missing(CHAT, chat(messages=[{}]), "messages[0].role"),
    missing(CHAT, chat(messages=[HI, {"role": "user"}]), "messages[1].content"),
    missing(CHAT, chat(messages=[{"role": "tool", "content": "x"}]), "messages[0].tool_call_id"),
    missing(CHAT, chat(tools=[{}]), "tools[0].type"),
    missing(CHAT, chat(tools=[{"type": "function"}]), "tools[0].function"),
    missing(CHAT, chat(tools=[TOOL, {"type": "custom", "custom": {}}]), "tools[1].custom.name"),
    missing(CHAT, chat(response_format={}), "response_format.type"),
    missing(
        CHAT, chat(response_format={"type": "json_schema"}), "response_format.json_schema"
    ),
    missing(
        CHAT,
        chat(messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]),
        "messages[0].content[0].image_url.url",
    ),
    missing(EMBEDDINGS, {"model": "m"}, "input"),
    missing(COMPLETIONS, {"prompt": "x"}, "model"),
    missing(RESPONSES, {"input": [{}]}, "input[0].type"),
    missing(RESPONSES, {"input": [{"content": "hi"}]}, "input[0].type"),
    missing(RESPONSES, {"input": [{"role": "user"}]}, "input[0].content"),
    missing(RESPONSES, {"tools": [{"name": "f"}]}, "tools[0].type"),
    missing(RESPONSES, {"tools": [TOOL]}, "tools[0].name"),
    missing(RESPONSES, {"input": [{"type": "item_reference"}]}, "input[0].id"),
    missing(
        RESPONSES, {"input": [{"type": "function_call_output", "output": "1"}]}, "input[0].call_id"
    ),
    missing(
        RESPONSES,
        {"input": [{"role": "user", "content": [{"type": "input_text"}]}]},
        "input[0].content[0].text",
    ),
    missing("POST /conversations/{conversation_id}", {}, "metadata"),
    missing("POST /chat/completions/{completion_id}", {}, "metadata"),
    missing(BATCHES, {"endpoint": "/v1/embeddings", "input_file_id": "f"}, "completion_window"),
    # what nobody knows
    unknown(CHAT, chat(foo=1), "foo"),
    unknown(CHAT, chat(stream_options={"usage": True}), "stream_options.usage"),
    unknown(CHAT, chat(tools=[{**TOOL, "name": "f"}]), "tools[0].name"),
    unknown(
        CHAT, chat(tools=[{"type": "function", "function": {"name": "f", "parameter": {}}}]),
        "tools[0].function.parameter",
    ),
    unknown(CHAT, chat(response_format={"type": "text", "schema": {}}), "response_format.schema"),
    unknown(EMBEDDINGS, {"model": "m", "input": "x", "truncate": True}, "truncate"),
    unknown(RESPONSES, {"reasoning": {"level": "low"}}, "reasoning.level"),
    unknown(RESPONSES, {"messages": [HI]}, "messages"),
    unknown(STORES, {"chunking_strategy": {"type": "auto", "size": 1}}, "chunking_strategy.size"),
    # what is of another type
    kind(CHAT, chat(model=1), "model", "a string", "an integer"),
    kind(CHAT, chat(model=None), "model", "a string", "null"),
    kind(CHAT, chat(messages="hi"), "messages", "an array of objects", "a string"),
    kind(CHAT, chat(messages=["hi"]), "messages[0]", "an object", "a string"),
    kind(CHAT, chat(temperature="hot"), "temperature", "a decimal", "a string"),
    kind(CHAT, chat(temperature=[1]), "temperature", "a decimal", "an array"),
    kind(CHAT, chat(n="1"), "n", "an integer", "a string"),
    kind(CHAT, chat(n=1.0), "n", "an integer", "a decimal"),
    kind(CHAT, chat(max_tokens=True), "max_tokens", "an integer", "a boolean"),
    kind(CHAT, chat(seed=1e30), "seed", "an integer", "a decimal"),
    kind(CHAT, chat(stream="yes"), "stream", "a boolean", "a string"),
    kind(CHAT, chat(stop=1), "stop", "one of a string or array of strings", "an integer"),
    kind(CHAT, chat(stop=["a", 1]), "stop[1]", "a string", "an integer"),
    kind(CHAT, chat(logit_bias=[]), "logit_bias", "an object", "an array"),
    kind(CHAT, chat(logit_bias={"1": 1.5}), "logit_bias.1", "an integer", "a decimal"),
    kind(CHAT, chat(metadata={"a": 1}), "metadata.a", "a string", "an integer"),
    kind(
        CHAT,
        chat(messages=[{"role": "user", "content": 3}]),
        "messages[0].content",
        "one of a string or array of objects",
        "an integer",
    ),
    kind(
        CHAT, chat(reasoning_effort=3), "reasoning_effort",
        "one of 'none', 'minimal', 'low', 'medium', 'high', 'xhigh', or 'max'", "an integer",
    ),
    kind(CHAT, chat(tool_choice=[]), "tool_choice",
         "one of 'none', 'auto', 'required', or an object", "an array"),
    kind(
        EMBEDDINGS,
        {"model": "m", "input": 3},
        "input",
        "one of a string, array of strings, array of integers, or array of arrays of integers",
        "an integer",
    ),
    kind(EMBEDDINGS, {"model": "m", "input": ["a", 1]}, "input[1]", "a string", "an integer"),
    kind(EMBEDDINGS, {"model": "m", "input": [1, "a"]}, "input[1]", "an integer", "a string"),
    kind(EMBEDDINGS, {"model": "m", "input": [[1, 1.0]]}, "input[0][1]", "an integer", "a decimal"),
    kind(
        EMBEDDINGS,
        {"model": "m", "input": [{}]},
        "input[0]",
        "one of a string, an integer, or an array",
        "an object",
    ),
    kind(RESPONSES, {"input": 1}, "input", "one of a string or array of objects", "an integer"),
    kind(RESPONSES, {"tools": {}}, "tools", "an array of objects", "an object"),
    kind(
        TUNING,
        {"model": "m", "training_file": "f", "hyperparameters": {"n_epochs": "many"}},
        "hyperparameters.n_epochs",
        "one of 'auto' or an integer",
        "a string",
    ),
    # what is no supported value
    value(
        CHAT,
        chat(messages=[{"role": "boss", "content": "x"}]),
        "messages[0].role",
        "'boss'",
        "Supported values are: 'developer', 'system', 'user', 'assistant', 'tool', "
        "and 'function'.",
    ),
    value(CHAT, chat(tools=[{"type": "functoin"}]), "tools[0].type", "'functoin'",
          "Supported values are: 'function' and 'custom'."),
    value(CHAT, chat(tool_choice="maybe"), "tool_choice", "'maybe'",
          "Supported values are: 'none', 'auto', and 'required'."),
    value(CHAT, chat(verbosity="loud"), "verbosity", "'loud'",
          "Supported values are: 'low', 'medium', and 'high'."),
    value(
        CHAT,
        chat(response_format={"type": "xml"}),
        "response_format.type",
        "'xml'",
        "Supported values are: 'text', 'json_schema', and 'json_object'.",
    ),
    value(
        EMBEDDINGS,
        {"model": "m", "input": "x", "encoding_format": "hex"},
        "encoding_format",
        "'hex'",
        "Supported values are: 'float' and 'base64'.",
    ),
    value(
        CHAT,
        chat(messages=[{"role": "user", "content": [{"type": "input_text", "text": "x"}]}]),
        "messages[0].content[0].type",
        "'input_text'",
        "Supported values are: 'text', 'image_url', 'input_audio', and 'file'.",
    ),
    value(
        BATCHES,
        {"completion_window": "1h", "endpoint": "/v1/embeddings", "input_file_id": "f"},
        "completion_window",
        "'1h'",
        "Value must be '24h'.",
    ),
    value(
        CHAT,
        chat(tool_choice={"type": "allowed_tools", "allowed_tools": {"mode": "x", "tools": []}}),
        "tool_choice.allowed_tools.mode",
        "'x'",
        "Supported values are: 'auto' and 'required'.",
    ),
    # what is out of range
    limit(CHAT, chat(temperature=3), "temperature", "decimal_above_max_value",
          "decimal above maximum value. Expected a value <= 2, but got 3 instead."),
    limit(CHAT, chat(temperature=-0.5), "temperature", "decimal_below_min_value",
          "decimal below minimum value. Expected a value >= 0, but got -0.5 instead."),
    limit(CHAT, chat(top_p=1.5), "top_p", "decimal_above_max_value",
          "decimal above maximum value. Expected a value <= 1, but got 1.5 instead."),
    limit(CHAT, chat(n=0), "n", "integer_below_min_value",
          "integer below minimum value. Expected a value >= 1, but got 0 instead."),
    limit(CHAT, chat(n=129), "n", "integer_above_max_value",
          "integer above maximum value. Expected a value <= 128, but got 129 instead."),
    limit(CHAT, chat(top_logprobs=21), "top_logprobs", "integer_above_max_value",
          "integer above maximum value. Expected a value <= 20, but got 21 instead."),
    limit(CHAT, chat(max_tokens=0), "max_tokens", "integer_below_min_value",
          "integer below minimum value. Expected a value >= 1, but got 0 instead."),
    limit(CHAT, chat(logit_bias={"9": 101}), "logit_bias.9", "integer_above_max_value",
          "integer above maximum value. Expected a value <= 100, but got 101 instead."),
    limit(CHAT, chat(seed=2**63), "seed", "integer_above_max_value",
          "integer above maximum value. Expected a value <= 9223372036854775807, "
          "but got 9223372036854775808 instead."),
    limit(CHAT, chat(repetition_penalty=0), "repetition_penalty", "decimal_below_min_value",
          "decimal below minimum value. Expected a value > 0, but got 0 instead."),
    limit(CHAT, chat(messages=[]), "messages", "empty_array",
          "empty array. Expected an array with minimum length 1, but got an empty array instead."),
    limit(CHAT, chat(stop=["a"] * 5), "stop", "array_above_max_length",
          "array too long. Expected an array with maximum length 4, "
          "but got an array with length 5 instead."),
    limit(CHAT, chat(tools=[TOOL] * 129), "tools", "array_above_max_length",
          "array too long. Expected an array with maximum length 128, "
          "but got an array with length 129 instead."),
    limit(CHAT, chat(safety_identifier="x" * 65), "safety_identifier", "string_above_max_length",
          "string too long. Expected a string with maximum length 64, "
          "but got a string with length 65 instead."),
    limit(CHAT, chat(metadata={"a": "x" * 513}), "metadata.a", "string_above_max_length",
          "string too long. Expected a string with maximum length 512, "
          "but got a string with length 513 instead."),
    limit(CHAT, chat(metadata={"k" * 65: "x"}), "metadata", "property_name_above_max_length",
          "property name too long. Expected a property name with maximum length 64, "
          "but got one with length 65 instead."),
    limit(CHAT, chat(metadata={str(i): "x" for i in range(17)}), "metadata",
          "object_above_max_properties",
          "too many properties. Expected an object with maximum 16 properties, "
          "but got an object with 17 instead."),
    limit(CHAT, chat(tools=[{"type": "function", "function": {"name": "a b"}}]),
          "tools[0].function.name", "invalid_value", f"{NAME} '^[a-zA-Z0-9_-]+$'."),
    limit(CHAT, chat(tools=[{"type": "function", "function": {"name": "a\n"}}]),
          "tools[0].function.name", "invalid_value", f"{NAME} '^[a-zA-Z0-9_-]+$'."),
    limit(CHAT, chat(tools=[{"type": "function", "function": {"name": ""}}]),
          "tools[0].function.name", "empty_string",
          "empty string. Expected a string with minimum length 1, "
          "but got an empty string instead."),
    limit(EMBEDDINGS, {"model": "m", "input": ["x"] * 2049}, "input", "array_above_max_length",
          "array too long. Expected an array with maximum length 2048, "
          "but got an array with length 2049 instead."),
    limit(EMBEDDINGS, {"model": "m", "input": []}, "input", "empty_array",
          "empty array. Expected an array with minimum length 1, but got an empty array instead."),
    limit(COMPLETIONS, {"model": "m", "prompt": "x", "logprobs": 6}, "logprobs",
          "integer_above_max_value",
          "integer above maximum value. Expected a value <= 5, but got 6 instead."),
    limit(COMPLETIONS, {"model": "m", "prompt": "x", "best_of": 21}, "best_of",
          "integer_above_max_value",
          "integer above maximum value. Expected a value <= 20, but got 21 instead."),
]  # fmt: skip
