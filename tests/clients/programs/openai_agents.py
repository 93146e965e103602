"""openai-agents: both model classes, tools, handoffs, sessions, structured output, streaming."""

import asyncio
from typing import Any

from agents import (
    Agent,
    Model,
    ModelSettings,
    OpenAIChatCompletionsModel,
    OpenAIConversationsSession,
    OpenAIResponsesModel,
    Runner,
    SQLiteSession,
    function_tool,
    set_tracing_disabled,
)
from openai import AsyncOpenAI
from pydantic import BaseModel

set_tracing_disabled(True)
client = AsyncOpenAI(max_retries=0)
ASK = 'Use get_weather {"city": "Paris"}'


class City(BaseModel):
    name: str


@function_tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


async def use(kind: str, model: Model) -> None:
    agent = Agent(name="Weather", instructions="You help.", model=model, tools=[get_weather])
    result = await Runner.run(agent, ASK)
    assert result.final_output == "The tool said: sunny in Paris", result
    print(kind, "a tool's turn:", result.final_output)
    streamed = Runner.run_streamed(agent, ASK)
    deltas = [
        event.data.delta
        async for event in streamed.stream_events()
        if event.type == "raw_response_event" and event.data.type == "response.output_text.delta"
    ]
    assert "".join(deltas) == streamed.final_output == "The tool said: sunny in Paris", deltas
    print(kind, "streamed in", len(deltas), "pieces")
    first = Agent(name="Front", instructions="You route.", model=model, handoffs=[agent])
    result = await Runner.run(first, "Use transfer_to_weather {}")
    assert result.last_agent.name == "Weather", result
    print(kind, "handed over to", result.last_agent.name)
    session: Any = SQLiteSession("one")
    for text in ("one", "two"):
        result = await Runner.run(Agent(name="Plain", model=model), text, session=session)
    assert result.final_output == "Heard: one / two", result
    print(kind, "session:", result.final_output)
    typed = Agent(name="Typed", model=model, output_type=City)
    assert (await Runner.run(typed, "A city?")).final_output == City(name="Paris")
    print(kind, "structured output")


async def stored(model: Model) -> None:
    """What only the Responses API has: conversations kept by the server."""
    session: Any = OpenAIConversationsSession(openai_client=client)
    agent = Agent(name="Plain", model=model, model_settings=ModelSettings(store=True))
    for text in ("one", "two"):
        result = await Runner.run(agent, text, session=session)
    assert result.final_output == "Heard: one / two", result
    first = await Runner.run(agent, "one")
    result = await Runner.run(agent, "two", previous_response_id=first.last_response_id)
    assert result.final_output == "Heard: one / two", result
    print("Responses conversation and previous response:", result.final_output)


async def main() -> None:
    await use("Chat", OpenAIChatCompletionsModel("gpt-5.2", client))
    model = OpenAIResponsesModel("gpt-5.2", client)
    await use("Responses", model)
    await stored(model)
    await client.close()


asyncio.run(main())
