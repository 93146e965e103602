"""Items as the messages of a chat, in the form in which engines take them.

What a model said in one go (its reasoning, its message, its calls) is one assistant message, and
the outputs of its calls follow it at once, wherever they stand among the items.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from inhouse.agent.chat.messages import Image
from inhouse.agent.responses import pairs
from inhouse.agent.responses.calls import output_parts, own_output, spoken
from inhouse.agent.responses.files import file_text
from inhouse.engines import abilities
from inhouse.engines.text import Json
from inhouse.errors import BadRequest

Unseal = Callable[[str], str]
"""Takes an item's `encrypted_content`; gives its text or raises BadRequest."""

Sealing = Callable[[str], str]
"""Takes a text; gives what `Unseal` opens again."""

_SUMMARY = "A summary of the conversation until here, in place of its messages:\n\n"
_SILENT = frozenset(
    {"mcp_list_tools", "mcp_approval_request", "additional_tools", "configuration_update"}
)
"""Items that say nothing to the model; tools and settings are taken from them elsewhere."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How items are read: what the model can take, and what opens what is sealed.

    `history` is how many items stand before the request's own, which is what errors count from.
    `all_thoughts`: reasoning of earlier turns is told too, not only what came after the last
    message that no assistant wrote.
    """

    able: Collection[str]
    image: Image
    unseal: Unseal
    history: int = 0
    all_thoughts: bool = False

    def place(self, index: int) -> str:
        """Where an item stands in the request, for errors."""
        return f"input[{index - self.history}]" if index >= self.history else "input"


@dataclass(slots=True)
class _Turn:
    """What the assistant says in one go."""

    thoughts: list[str] = field(default_factory=list)
    content: str | None = None
    calls: list[Json] = field(default_factory=list)
    answers: list[tuple[str, Any, str]] = field(default_factory=list)
    """Call id, output, place."""


async def for_engine(instructions: str | None, items: Sequence[Json], read: Reading) -> list[Json]:
    """The messages for `instructions` and then `items`. BadRequest for what the model cannot take.

    Calls and outputs are paired already (`pairs.check`).
    """
    writer = _Writer(items, read)
    if instructions:
        writer.out.append({"role": "system", "content": instructions})
    for index, item in enumerate(items):
        await writer.take(item, index)
    await writer.close()
    return writer.out


class _Writer:
    def __init__(self, items: Sequence[Json], read: Reading) -> None:
        self.out: list[Json] = []
        self._read = read
        self._outputs = pairs.outputs(items)
        self._places = {id(item): read.place(index) for index, item in enumerate(items)}
        self._thinking_from = 0 if read.all_thoughts else _last_given(items)
        self._turn = _Turn()

    async def take(self, item: Json, index: int) -> None:
        kind = item["type"]
        if kind in _SILENT:
            return
        if kind in pairs.OUTPUTS:
            await self.close()
        elif kind == "reasoning":
            await self._think(item, heard=index >= self._thinking_from)
        elif kind == "compaction":
            await self.close()
            summary = self._read.unseal(item["encrypted_content"])
            self.out.append({"role": "system", "content": _SUMMARY + summary})
        elif kind != "message":
            await self._call(item)
        elif item["role"] == "assistant":
            await self._say(_said(item["content"]))
        else:
            await self.close()
            content = await self._content(item["content"], self._read.place(index) + ".content")
            self.out.append({"role": item["role"], "content": content})

    async def _think(self, item: Json, *, heard: bool) -> None:
        if self._turn.content is not None or self._turn.calls:
            await self.close()
        sealed = item.get("encrypted_content")
        text = "\n".join(part["text"] for part in item.get("content") or ())
        if not text and sealed:
            text = self._read.unseal(sealed)
        if not text:
            text = "\n".join(part["text"] for part in item["summary"])
        if heard and text:
            self._turn.thoughts.append(text)

    async def _say(self, text: str) -> None:
        if self._turn.content is not None:
            await self.close()
        self._turn.content = text

    async def _call(self, item: Json) -> None:
        if pairs.broken_off(item) and pairs.call_id(item) not in self._outputs:
            return
        call = spoken(item)
        self._turn.calls.append(call)
        if pairs.answered_by_client(item):
            for output in self._outputs.get(call["id"], ()):
                place = self._places[id(output)]
                self._turn.answers.append((call["id"], output_parts(output), place + ".output"))
        else:
            self._turn.answers.append((call["id"], own_output(item), "input"))
            await self.close()

    async def close(self) -> None:
        """Write down what the assistant said, and what its calls came to."""
        turn, self._turn = self._turn, _Turn()
        if turn.content is None and not turn.calls:
            return  # thoughts that came to nothing
        message: Json = {"role": "assistant", "content": turn.content}
        if turn.thoughts:
            message["reasoning_content"] = "\n".join(turn.thoughts)
        if turn.calls:
            message["tool_calls"] = turn.calls
        self.out.append(message)
        seen: list[Json] = []
        for call, output, place in turn.answers:
            content = await self._content(output, place)
            if not isinstance(content, str):
                seen += [part for part in content if part["type"] != "text"]
                content = "\n".join(part["text"] for part in content if part["type"] == "text")
            self.out.append({"role": "tool", "tool_call_id": call, "content": content})
        if seen:
            self.out.append({"role": "user", "content": seen})

    async def _content(self, content: str | Sequence[Json], place: str) -> str | list[Json]:
        if isinstance(content, str):
            return content
        parts = [await self._part(part, f"{place}[{at}]") for at, part in enumerate(content)]
        if len(parts) == 1 and parts[0]["type"] == "text":
            return parts[0]["text"]
        return parts

    async def _part(self, part: Json, place: str) -> Json:
        if part["type"] == "input_text":
            return {"type": "text", "text": part["text"]}
        if part["type"] == "input_file":
            return {"type": "text", "text": file_text(part, f"{place}.file_data")}
        if abilities.VISION not in self._read.able:
            raise BadRequest(
                f"Invalid content type. {part['type']} is only supported by certain models.",
                param=f"{place}.type",
            )
        url = await self._read.image(part["image_url"], f"{place}.image_url")
        seen: Json = {"url": url}
        if (detail := part.get("detail")) is not None:
            seen["detail"] = "high" if detail == "original" else detail
        return {"type": "image_url", "image_url": seen}


def _said(content: Sequence[Json]) -> str:
    return "".join(part.get("text") or part.get("refusal") or "" for part in content)


def _last_given(items: Sequence[Json]) -> int:
    """Where the last message stands that no assistant wrote."""
    for index in range(len(items) - 1, -1, -1):
        if items[index]["type"] == "message" and items[index]["role"] != "assistant":
            return index
    return 0


def mentions_json(messages: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a message speaks of JSON."""
    for message in messages:
        content = message.get("content")
        texts = [content] if isinstance(content, str) else [p.get("text") for p in content or ()]
        if any(text and "json" in text.lower() for text in texts):
            return True
    return False
