"""openai-agents, unmodified, with both of its models: tools, handoffs, sessions, streams."""

from collections.abc import AsyncIterator
from typing import Any

import agents
import pytest
from agents import Agent, Runner, function_tool
from pydantic import BaseModel
from tests.clients.actor import act
from tests.conftest import House

from inhouse.engines.scripted import Scripted

USE = 'Use get_weather {"city": "Paris"}'
TOLD = "The tool said: sunny in Paris"


class City(BaseModel):
    name: str


@function_tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


@pytest.fixture
def engine() -> Scripted:
    return Scripted(act)


@pytest.fixture(params=["chat", "responses", "websocket"])
async def model(request: pytest.FixtureRequest, house: House) -> AsyncIterator[agents.Model]:
    agents.set_tracing_disabled(disabled=True)
    client = house.client()
    match request.param:
        case "chat":
            yield agents.OpenAIChatCompletionsModel("gpt-5.2", client)
        case "responses":
            yield agents.OpenAIResponsesModel("gpt-5.2", client)
        case _:
            made = agents.OpenAIResponsesWSModel("gpt-5.2", client)
            yield made
            await made.close()


async def test_a_tool_is_called_and_its_output_is_used(model: agents.Model) -> None:
    agent = Agent(name="Weather", instructions="You help.", model=model, tools=[get_weather])
    result = await Runner.run(agent, USE)
    assert result.final_output == TOLD
    assert result.context_wrapper.usage.requests == 2


async def test_the_same_is_streamed(model: agents.Model) -> None:
    agent = Agent(name="Weather", model=model, tools=[get_weather])
    streamed = Runner.run_streamed(agent, USE)
    text = ""
    async for event in streamed.stream_events():
        if event.type == "raw_response_event" and event.data.type == "response.output_text.delta":
            text += event.data.delta
    assert text == streamed.final_output == TOLD


async def test_an_agent_hands_over_to_another(model: agents.Model) -> None:
    weather = Agent(name="Weather", model=model, tools=[get_weather])
    front = Agent(name="Front", instructions="You route.", model=model, handoffs=[weather])
    result = await Runner.run(front, "Use transfer_to_weather {}")
    assert result.last_agent.name == "Weather"


async def test_a_session_remembers(model: agents.Model) -> None:
    session: Any = agents.SQLiteSession("one")
    agent = Agent(name="Plain", model=model)
    await Runner.run(agent, "one", session=session)
    result = await Runner.run(agent, "two", session=session)
    assert result.final_output == "Heard: one / two"
    session.close()


async def test_an_answer_has_the_type_that_was_asked_for(model: agents.Model) -> None:
    typed = Agent(name="Typed", model=model, output_type=City)
    assert (await Runner.run(typed, "A city?")).final_output == City(name="Paris")


async def test_conversations_and_responses_are_kept_by_the_server(house: House) -> None:
    agents.set_tracing_disabled(disabled=True)
    client = house.client()
    agent = Agent(name="Plain", model=agents.OpenAIResponsesModel("gpt-5.2", client))
    session: Any = agents.OpenAIConversationsSession(openai_client=client)
    await Runner.run(agent, "one", session=session)
    result = await Runner.run(agent, "two", session=session)
    assert result.final_output == "Heard: one / two"
    first = await Runner.run(agent, "one")
    result = await Runner.run(agent, "two", previous_response_id=first.last_response_id)
    assert result.final_output == "Heard: one / two"
