"""Stream and object are one, whatever the model says."""

from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.agent.responses.fold import Fold
from inhouse.agent.responses.retell import retold
from inhouse.agent.responses.telling import Manner, Telling
from inhouse.agent.turn import Done, Event, Limit, NeedsClient
from inhouse.clock import FrozenClock
from inhouse.engines.text import Reasoning, Refusal, Text, ToolCall, Usage
from inhouse.errors import BadRequest, RateLimited, ServerError
from inhouse.ids import IdMaker

Json = dict[str, Any]

TOKEN = {"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": []}


def counting() -> IdMaker:
    """Ids that are the same in every run."""
    numbers = count()
    return lambda prefix: f"{prefix}{next(numbers):030x}"


def blank() -> Json:
    return {
        "id": "resp_1",
        "status": "in_progress",
        "output": [],
        "error": None,
        "incomplete_details": None,
        "usage": None,
    }


def telling(manner: Manner | None = None) -> Telling:
    return Telling(blank(), counting(), FrozenClock(), manner or Manner())


texts = st.text(max_size=5)
calls = st.integers(0, 2)


@st.composite
def scripts(draw: st.DrawFn) -> list[list[Event]]:
    """Batches of one turn, as an engine may give them: anything mixed with anything."""
    started: dict[int, str] = {}

    def call(index: int, piece: str, kind: str) -> ToolCall:
        if index in started:
            return ToolCall(0, index, piece, kind=started[index])  # type: ignore[arg-type]
        started[index] = kind
        return ToolCall(0, index, piece, f"call_{index}", f"tool_{index}", kind)  # type: ignore[arg-type]

    deltas = draw(
        st.lists(
            st.one_of(
                st.builds(Text, st.just(0), texts, st.sampled_from([None, [TOKEN]])),
                st.builds(Refusal, st.just(0), texts),
                st.builds(Reasoning, st.just(0), texts),
                st.builds(call, calls, texts, st.sampled_from(["function", "custom"])),
            ),
            max_size=12,
        )
    )
    end = draw(st.sampled_from([Done(0), Done(0, filtered=True), Limit(0), NeedsClient(0, ())]))
    events: list[Event] = [*deltas, end, Usage(3, 2, 1, 1)]
    cut = draw(st.integers(0, len(events)))
    return [events[:cut], events[cut:]]


@given(scripts(), st.booleans(), st.booleans())
def test_the_events_add_up_to_the_object(
    script: list[list[Event]],
    summary: bool,  # noqa: FBT001 - hypothesis gives arguments by position
    sealed: bool,  # noqa: FBT001
) -> None:
    told = telling(Manner(summary=summary, seal=str.upper if sealed else None))
    events = [*told.begin("created", "in_progress")]
    for batch in script:
        events += told.tell(batch)
    grown = Fold(events)
    assert not grown.open
    events += told.finish()
    whole = Fold(events)
    assert whole.ended
    assert whole.response == told.response
    assert whole.response["output"] == whole.output == grown.output
    assert [event["sequence_number"] for event in events] == list(range(len(events)))


@given(scripts(), st.integers(0, 40), st.booleans())
def test_what_is_open_is_what_its_deltas_said(
    script: list[list[Event]],
    cut: int,
    summary: bool,  # noqa: FBT001
) -> None:
    told = telling(Manner(summary=summary))
    events = [*told.begin("created", "in_progress")]
    for batch in script:
        events += told.tell(batch)
    done = Fold(events)
    part = Fold(events[: 2 + cut])
    for index, item in part.items.items():
        assert _is_beginning(_said(item), _said(done.items[index]))


def _said(item: Json) -> str:
    parts = [*item.get("summary", []), *item.get("content", [])]
    texts = [part.get("text", part.get("refusal", "")) for part in parts]
    return "|".join(texts) + item.get("arguments", "") + item.get("input", "")


def _is_beginning(part: str, whole: str) -> bool:
    return whole.startswith(part)


@given(scripts(), st.booleans())
def test_events_made_again_add_up_to_the_same_object(
    script: list[list[Event]],
    summary: bool,  # noqa: FBT001
) -> None:
    told = telling(Manner(summary=summary, seal=str.upper))
    told.begin("created", "in_progress")
    for batch in script:
        told.tell(batch)
    told.finish()
    again = Fold(retold(told.response, FrozenClock()))
    assert again.response == told.response
    assert again.output == told.response["output"]
    assert not again.open


def test_a_message_is_told_in_the_order_of_the_api() -> None:
    told = telling()
    events = [*told.begin("created", "in_progress")]
    events += told.tell([Text(0, "Hel"), Text(0, "lo")])
    events += told.tell([Done(0), Usage(5, 2)])
    events += told.finish()
    assert [event["type"] for event in events] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    last = events[-1]["response"]
    assert last["status"] == "completed"
    assert last["usage"]["total_tokens"] == 7
    assert last["output"][0]["content"][0]["text"] == "Hello"


def test_of_several_calls_only_the_last_can_have_been_cut() -> None:
    told = telling()
    told.tell([ToolCall(0, 0, "{}", "call_0", "a"), ToolCall(0, 1, '{"x', "call_1", "b")])
    told.tell([Limit(0)])
    told.finish()
    assert [item["status"] for item in told.response["output"]] == ["completed", "incomplete"]
    assert told.response["status"] == "incomplete"
    assert told.response["incomplete_details"] == {"reason": "max_output_tokens"}


def test_pieces_of_calls_may_interleave() -> None:
    told = telling()
    events = told.tell(
        [
            ToolCall(0, 0, '{"a"', "call_0", "f"),
            ToolCall(0, 1, '{"b"', "call_1", "g"),
            ToolCall(0, 0, ":1}"),
            ToolCall(0, 1, ":2}"),
            NeedsClient(0, ()),
        ]
    )
    assert [item["arguments"] for item in Fold(events).output] == ['{"a":1}', '{"b":2}']


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (BadRequest("Too long."), "invalid_prompt", "Too long."),
        (RateLimited("Slower."), "rate_limit_exceeded", "Slower."),
        (ServerError("Broken."), "server_error", "Broken."),
        (ValueError("a secret"), "server_error", "The server had an error"),
    ],
)
def test_a_failed_response_says_why(error: Exception, code: str, says: str) -> None:
    told = telling()
    told.tell([Text(0, "Hel")])
    events = told.fail(error)
    response = events[-1]["response"]
    assert events[-1]["type"] == "response.failed"
    assert response["error"]["code"] == code
    assert says in response["error"]["message"]
    assert "secret" not in response["error"]["message"]
    assert response["output"][0]["status"] == "incomplete"


def test_tokens_have_their_bytes_in_the_message_and_not_in_its_events() -> None:
    token: Json = {**TOKEN, "top_logprobs": [{"token": "b", "logprob": -1.5, "bytes": [98]}]}
    told = telling()
    events = told.tell([Text(0, "a", [token]), Done(0)])
    short = {"token": "a", "logprob": -0.5, "top_logprobs": [{"token": "b", "logprob": -1.5}]}
    assert [event["logprobs"] for event in events if "logprobs" in event] == [[short], [short]]
    assert told.output[0]["content"][0]["logprobs"] == [token]
    (cut,) = Fold(event for event in events if not event["type"].endswith(".done")).open
    assert cut["content"][0]["logprobs"] == [token]
