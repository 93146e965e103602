"""Bodies as real clients make them, written after what these send: (client, operation, body)."""

from typing import Any

CHAT = "POST /chat/completions"
RESPONSES = "POST /responses"
EMBEDDINGS = "POST /embeddings"
COMPLETIONS = "POST /completions"

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": ["integer", "null"]}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
PNG = "data:image/png;base64,iVBORw0KGgo="

Body = dict[str, Any]

BODIES: list[tuple[str, str, Body]] = [
    ("curl", CHAT, {"model": "gpt-5.2", "messages": [{"role": "user", "content": "hi"}]}),
    (
        "langchain",
        CHAT,
        {
            "messages": [
                {"content": "You help.", "role": "system"},
                {"content": "Weather?", "role": "user"},
                {"role": "assistant", "content": None, "tool_calls": [CALL]},
                {"content": "sunny", "role": "tool", "tool_call_id": "call_1"},
            ],
            "model": "gpt-4o-mini",
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": 0.0,
            "parallel_tool_calls": False,
            "tools": [
                {
                    "type": "function",
                    "function": {
                        "name": "weather",
                        "description": "Tells the weather.",
                        "parameters": SCHEMA,
                        "strict": True,
                    },
                }
            ],
            "tool_choice": {"type": "function", "function": {"name": "weather"}},
        },
    ),
    (
        "langchain responses: a tool without strict, an image without detail",
        RESPONSES,
        {
            "input": [
                {
                    "role": "user",
                    "content": [
                        {"type": "input_text", "text": "What is it?"},
                        {"type": "input_image", "image_url": PNG},
                    ],
                }
            ],
            "model": "gpt-4o",
            "stream": False,
            "tools": [{"type": "function", "name": "weather", "parameters": SCHEMA}],
        },
    ),
    (
        "langchain responses: replayed text without id and status",
        RESPONSES,
        {
            "input": [
                {"role": "user", "content": "hi"},
                {
                    "type": "message",
                    "role": "assistant",
                    "content": [{"type": "output_text", "text": "hello", "annotations": []}],
                },
                {"role": "assistant", "content": [{"type": "output_text", "text": "hello"}]},
                {"role": "user", "content": "and?"},
            ],
            "model": "m",
        },
    ),
    (
        "openai-python: message.model_dump() sent back",
        CHAT,
        {
            "model": "m",
            "messages": [
                {"role": "user", "content": "hi"},
                {
                    "content": "hello",
                    "refusal": None,
                    "role": "assistant",
                    "annotations": [],
                    "audio": None,
                    "function_call": None,
                    "tool_calls": None,
                    "parsed": None,
                },
                {"role": "tool", "content": "x", "tool_call_id": "call_1", "name": "weather"},
            ],
        },
    ),
    (
        "openai-python: chat.completions.parse",
        CHAT,
        {
            "model": "m",
            "messages": [{"role": "developer", "content": [{"type": "text", "text": "x"}]}],
            "response_format": {
                "type": "json_schema",
                "json_schema": {"schema": SCHEMA, "name": "Weather", "strict": True},
            },
            "stream": False,
        },
    ),
    (
        "openai-python: responses output dumped and sent back",
        RESPONSES,
        {
            "model": "m",
            "input": [
                {
                    "id": "rs_1",
                    "summary": [],
                    "type": "reasoning",
                    "content": None,
                    "encrypted_content": None,
                    "status": None,
                },
                {
                    "id": "msg_1",
                    "content": [
                        {
                            "annotations": [],
                            "text": "{}",
                            "type": "output_text",
                            "logprobs": None,
                            "parsed": {"a": 1},
                        }
                    ],
                    "role": "assistant",
                    "status": "completed",
                    "type": "message",
                    "phase": None,
                },
                {
                    "arguments": "{}",
                    "call_id": "call_1",
                    "name": "weather",
                    "type": "function_call",
                    "id": "fc_1",
                    "status": "completed",
                    "async_": None,
                    "namespace": None,
                    "parsed_arguments": {},
                },
                {"type": "function_call_output", "call_id": "call_1", "output": "sunny"},
            ],
        },
    ),
    (
        "codex",
        RESPONSES,
        {
            "model": "gpt-5.2-codex",
            "instructions": "You code.",
            "input": [
                {
                    "type": "message",
                    "id": "msg_0",
                    "role": "developer",
                    "content": [{"type": "input_text", "text": "permissions"}],
                },
                {
                    "type": "message",
                    "role": "user",
                    "content": [{"type": "input_text", "text": "hi"}],
                },
            ],
            "tools": [
                {
                    "type": "function",
                    "name": "shell",
                    "description": "Runs a command.",
                    "strict": False,
                    "parameters": {"type": "object", "properties": {}},
                },
                {
                    "type": "custom",
                    "name": "apply_patch",
                    "description": "Edits files.",
                    "format": {"type": "grammar", "syntax": "lark", "definition": "start: /x/"},
                },
            ],
            "tool_choice": "auto",
            "parallel_tool_calls": False,
            "reasoning": {"effort": "medium", "summary": "auto"},
            "store": False,
            "stream": True,
            "include": ["reasoning.encrypted_content"],
            "prompt_cache_key": "0199",
            "text": {"verbosity": "low"},
            "client_metadata": {"x-codex-installation-id": "1"},
        },
    ),
    (
        "vercel ai sdk",
        CHAT,
        {
            "model": "m",
            "max_tokens": 100,
            "temperature": 0,
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "hi"},
                        {"type": "image_url", "image_url": {"url": PNG, "detail": "auto"}},
                    ],
                },
                {"role": "assistant", "content": "", "tool_calls": [CALL]},
                {"role": "tool", "tool_call_id": "call_1", "content": "{}"},
            ],
            "tools": [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}],
            "tool_choice": "auto",
        },
    ),
    (
        "openai-agents: a hosted tool chosen, a list of handoffs",
        RESPONSES,
        {
            "include": [],
            "input": [{"content": "hi", "role": "user"}],
            "instructions": "Help.",
            "model": "m",
            "tools": [
                {"type": "web_search", "filters": None, "user_location": None},
                {
                    "name": "transfer_to_b",
                    "parameters": SCHEMA,
                    "strict": True,
                    "type": "function",
                    "description": "Hands over.",
                },
            ],
            "tool_choice": {"type": "web_search"},
        },
    ),
    (
        "llamaindex: null for what is not set",
        RESPONSES,
        {
            "model": "m",
            "input": [{"role": "user", "content": "hi"}],
            "user": None,
            "max_output_tokens": None,
            "metadata": None,
            "instructions": None,
            "previous_response_id": None,
            "store": False,
            "temperature": 0.1,
            "tools": [],
            "top_p": 1.0,
            "truncation": "disabled",
        },
    ),
    (
        "litellm: a replayed message",
        CHAT,
        {
            "model": "m",
            "messages": [
                {
                    "content": "x",
                    "role": "assistant",
                    "tool_calls": None,
                    "function_call": None,
                    "provider_specific_fields": {"refusal": None},
                    "annotations": [],
                },
                {"role": "user", "content": "y"},
            ],
            "user": "u",
        },
    ),
    (
        "instructor",
        CHAT,
        {
            "messages": [{"role": "user", "content": "x"}],
            "model": "m",
            "tools": [
                {
                    "type": "function",
                    "function": {"name": "User", "description": "d", "parameters": SCHEMA},
                }
            ],
            "tool_choice": {"type": "function", "function": {"name": "User"}},
        },
    ),
    (
        "vllm's options by extra_body",
        CHAT,
        {
            "model": "m",
            "messages": [{"role": "user", "content": "x"}],
            "top_k": 20,
            "min_p": 0.05,
            "repetition_penalty": 1.1,
            "chat_template_kwargs": {"enable_thinking": False},
            "guided_json": SCHEMA,
        },
    ),
    (
        "custom tools with a grammar, allowed tools",
        CHAT,
        {
            "model": "m",
            "messages": [{"role": "user", "content": "x"}],
            "tools": [
                {
                    "type": "custom",
                    "custom": {
                        "name": "calculate",
                        "format": {
                            "type": "grammar",
                            "grammar": {"syntax": "regex", "definition": "[0-9]+"},
                        },
                    },
                },
                {"type": "custom", "custom": {"name": "say", "format": {"type": "text"}}},
            ],
            "tool_choice": {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "required",
                    "tools": [{"type": "custom", "custom": {"name": "say"}}],
                },
            },
        },
    ),
    (
        "legacy functions",
        CHAT,
        {
            "model": "m",
            "messages": [
                {"role": "user", "content": "x"},
                {
                    "role": "assistant",
                    "content": None,
                    "function_call": {"name": "f", "arguments": "{}"},
                },
                {"role": "function", "name": "f", "content": "1"},
            ],
            "functions": [{"name": "f", "parameters": {}}],
            "function_call": {"name": "f"},
        },
    ),
    (
        "everything that chat has",
        CHAT,
        {
            "model": "m",
            "messages": [{"role": "user", "content": "x", "name": "ann"}],
            "frequency_penalty": -2,
            "logit_bias": {"50256": -100},
            "logprobs": True,
            "top_logprobs": 5,
            "max_completion_tokens": 10,
            "metadata": {"a": "b"},
            "modalities": ["text"],
            "n": 2,
            "prediction": {"type": "content", "content": [{"type": "text", "text": "x"}]},
            "presence_penalty": 2,
            "prompt_cache_key": "k",
            "reasoning_effort": "minimal",
            "safety_identifier": "s",
            "seed": -1,
            "service_tier": "flex",
            "stop": ["a", "b"],
            "store": True,
            "top_p": 0.1,
            "user": "u",
            "verbosity": "low",
            "web_search_options": {},
        },
    ),
    ("langchain tokens", EMBEDDINGS, {"input": [[1, 2], [3]], "model": "m"}),
    (
        "openai-python embeddings",
        EMBEDDINGS,
        {"input": ["a", "b"], "model": "text-embedding-3-small", "encoding_format": "base64"},
    ),
    ("tokens", EMBEDDINGS, {"input": [1, 2, 3], "model": "m", "dimensions": 256, "user": "u"}),
    (
        "lm-evaluation-harness",
        COMPLETIONS,
        {
            "prompt": [[1, 2, 3]],
            "model": "m",
            "max_tokens": 1,
            "logprobs": 1,
            "seed": 1234,
            "echo": True,
            "temperature": 0,
        },
    ),
    ("no prompt at all", COMPLETIONS, {"model": "m"}),
    ("a batch of prompts", COMPLETIONS, {"model": "m", "prompt": ["a", "b"], "stop": "\n"}),
    (
        "batches",
        "POST /batches",
        {
            "input_file_id": "file-1",
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
            "metadata": {"a": "b"},
        },
    ),
    (
        "vector stores",
        "POST /vector_stores/{vector_store_id}/files",
        {
            "file_id": "file-1",
            "attributes": {"year": 2026, "draft": False, "kind": "x"},
            "chunking_strategy": {
                "type": "static",
                "static": {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400},
            },
        },
    ),
    ("a cleared metadata", "POST /conversations/{conversation_id}", {"metadata": None}),
]
