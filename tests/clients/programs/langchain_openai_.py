"""LangChain: ChatOpenAI over chat completions and over Responses; tools, structures, streams."""

from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

ASK = 'Use get_weather {"city": "Paris"}'


class City(BaseModel):
    """A city."""

    name: str


@tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


def use(kind: str, chat: ChatOpenAI) -> None:
    bound = chat.bind_tools([get_weather])
    messages = [HumanMessage(ASK)]
    first = bound.invoke(messages)
    (call,) = first.tool_calls
    assert call["args"] == {"city": "Paris"}, first
    told = ToolMessage(get_weather.invoke(call["args"]), tool_call_id=call["id"])
    second = bound.invoke([*messages, first, told])
    assert second.text == "The tool said: sunny in Paris", second
    print(kind, "a tool's turn:", second.text)
    whole = None
    for chunk in bound.stream([*messages, first, told]):
        whole = chunk if whole is None else whole + chunk
    assert whole is not None
    assert whole.text == second.text, whole
    assert whole.usage_metadata, whole
    print(kind, "streamed:", whole.text)
    city = chat.with_structured_output(City, method="json_schema").invoke("A city?")
    assert city == City(name="Paris"), city
    city = chat.with_structured_output(City, method="function_calling").invoke("A city?")
    assert city == City(name="Paris"), city
    print(kind, "structures")


use("chat", ChatOpenAI(model="gpt-5.2", max_retries=0, stream_usage=True))
use("responses", ChatOpenAI(model="gpt-5.2", max_retries=0, use_responses_api=True))
stateful = ChatOpenAI(
    model="gpt-5.2", max_retries=0, use_responses_api=True, use_previous_response_id=True
)
said = stateful.invoke("one")
answer = stateful.invoke([HumanMessage("one"), said, HumanMessage("two")])
assert answer.text == "Heard: one / two", answer
print("responses previous response:", answer.text)
