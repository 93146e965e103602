"""pydantic-ai: the chat model and the Responses model; tools, typed results, streams, history."""

import asyncio
from typing import Any

from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel

ASK = 'Use get_weather {"city": "Paris"}'


class City(BaseModel):
    name: str


def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


async def use(kind: str, model: Any) -> None:
    agent = Agent(model, tools=[get_weather], system_prompt="You help.")
    result = await agent.run(ASK)
    assert result.output == "The tool said: sunny in Paris", result
    print(kind, "a tool's turn:", result.output)
    async with agent.run_stream(ASK) as streamed:
        text = "".join([piece async for piece in streamed.stream_text(delta=True)])
    assert text == "The tool said: sunny in Paris", text
    print(kind, "streamed:", text)
    first = await agent.run("one")
    second = await agent.run("two", message_history=first.all_messages())
    assert second.output == "Heard: one / two", second
    print(kind, "history:", second.output)
    for output in (City, NativeOutput(City)):
        typed: Any = await Agent(model, output_type=output).run("A city?")
        assert typed.output == City(name="Paris"), typed
    print(kind, "typed results")


async def main() -> None:
    await use("chat", OpenAIChatModel("gpt-5.2"))
    await use("responses", OpenAIResponsesModel("gpt-5.2"))


asyncio.run(main())
