"""instructor: typed results by tools, by JSON schema and by Responses; a list, streamed."""

from collections.abc import Iterable

import instructor
from instructor import Mode
from openai import OpenAI
from pydantic import BaseModel

MODEL = "gpt-5.2"


class City(BaseModel):
    name: str
    days: int


PARIS = {"name": "Paris", "days": 3}
for mode in (Mode.TOOLS, Mode.JSON_SCHEMA, Mode.TOOLS_STRICT, Mode.RESPONSES_TOOLS):
    client = instructor.from_openai(OpenAI(max_retries=0), mode=mode)
    messages = [{"role": "user", "content": "Paris, three days. Extract the city."}]
    city = client.create(model=MODEL, response_model=City, messages=messages, max_retries=0)
    assert city.model_dump() == PARIS, (mode, city)
    print(mode.value, city)
client = instructor.from_openai(OpenAI(max_retries=0), mode=Mode.TOOLS)
messages = [{"role": "user", "content": "Which cities?"}]
cities = list(client.create(model=MODEL, response_model=Iterable[City], messages=messages))
assert [city.model_dump() for city in cities] == [PARIS], cities
print("several:", cities)
*_, last = client.create_partial(model=MODEL, response_model=City, messages=messages)
assert last.model_dump() == PARIS, last
print("partly, streamed:", last)
