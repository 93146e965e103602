"""Random scripts of well-formed calls, as an engine would yield them."""

from hypothesis import strategies as st

from inhouse.engines.text import Delta, Finish, Reasoning, Refusal, Text, ToolCall, Usage

words = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=6)
logprobs = st.none() | st.lists(
    st.fixed_dictionaries(
        {
            "token": words,
            "logprob": st.floats(-9, 0),
            "bytes": st.just([97]),
            "top_logprobs": st.just([]),
        }
    ),
    min_size=1,
    max_size=2,
)


@st.composite
def tool_calls(draw: st.DrawFn, choice: int) -> list[Delta]:
    """Some calls of one choice, one after the other, each in pieces."""
    out: list[Delta] = []
    for index in range(draw(st.integers(0, 2))):
        kind = draw(st.sampled_from(["function", "custom"]))
        name = draw(st.sampled_from(["add", "look"]))
        out.append(ToolCall(choice, index, draw(words), f"call_{choice}{index}", name, kind))
        out += [
            ToolCall(choice, index, draw(words), kind=kind) for _ in range(draw(st.integers(0, 2)))
        ]
    return out


@st.composite
def choices(draw: st.DrawFn, choice: int) -> list[Delta]:
    """Everything that one choice says, its end included."""
    said = [
        st.builds(Text, st.just(choice), words, logprobs),
        st.builds(Reasoning, st.just(choice), words),
        st.builds(Refusal, st.just(choice), words, logprobs),
    ]
    out: list[Delta] = draw(st.lists(st.one_of(said), max_size=5))
    calls = draw(tool_calls(choice))
    reason = draw(st.sampled_from(["length", "tool_calls" if calls else "stop", "content_filter"]))
    return [*out, *calls, Finish(choice, reason)]


@st.composite
def batches(draw: st.DrawFn) -> list[list[Delta]]:
    """A call's batches: choices interleave, batches are cut anywhere, usage comes last."""
    lines = [draw(choices(choice)) for choice in range(draw(st.integers(1, 3)))]
    mixed: list[Delta] = []
    while any(lines):
        line = draw(st.sampled_from([line for line in lines if line]))
        mixed.append(line.pop(0))
    counts = [draw(st.integers(0, 99)) for _ in range(4)]
    mixed.append(Usage(*counts))
    out: list[list[Delta]] = []
    while mixed:
        size = draw(st.integers(1, 4))
        out.append(mixed[:size])
        del mixed[:size]
    return out
