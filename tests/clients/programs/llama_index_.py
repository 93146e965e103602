"""LlamaIndex: the chat class and the Responses class; tools and streams."""

import os
from typing import Any

from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai import OpenAI, OpenAIResponses

ASK = 'Use get_weather {"city": "Paris"}'


def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


def use(kind: str, llm: Any) -> None:
    assert str(llm.complete("Say hello.")) == "Heard: Say hello."
    pieces = [piece.delta for piece in llm.stream_chat([ChatMessage("Say hello.")])]
    assert "".join(piece or "" for piece in pieces) == "Heard: Say hello.", pieces
    print(kind, "said and streamed")
    tool = FunctionTool.from_defaults(get_weather)
    answer = llm.predict_and_call([tool], ASK)
    assert str(answer) == "sunny in Paris", answer
    print(kind, "called a tool:", answer)


options = {"api_base": os.environ["OPENAI_BASE_URL"], "model": "gpt-4o", "max_retries": 0}
use("chat", OpenAI(**options))
use("responses", OpenAIResponses(**options))
