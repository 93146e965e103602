"""A client that remembers all that a server told it, and holds it to that after a crash."""

import asyncio
import random
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from tests.faults.asking import Asker, frames

from inhouse.agent.responses.fold import Fold

Json = dict[str, Any]
LOST = (aiohttp.ClientError, ConnectionError, asyncio.IncompleteReadError)
ENDED = {"completed", "incomplete", "failed", "cancelled"}


@dataclass(slots=True)
class Witness:
    """What was seen of one server's life after the other, over one data folder.

    `whole` are the objects of answers that came whole; `streams` the events seen of each response,
    and whether it runs in the background; `said` is what was appended to each conversation.
    """

    whole: dict[str, Json] = field(default_factory=dict)
    streams: dict[str, list[Json]] = field(default_factory=dict)
    background: set[str] = field(default_factory=set)
    conversations: dict[str, list[str]] = field(default_factory=dict)
    numbers: int = 0

    def text(self) -> str:
        """An input that was not there before."""
        self.numbers += 1
        return f"number {self.numbers}"

    async def act(self, asker: Asker, choice: random.Random) -> None:
        """Ask for something, of a kind by chance, until the server is gone."""
        kinds = (self._ask, self._stream, self._run, self._watch, self._talk)
        while True:
            try:
                await choice.choice(kinds)(asker)
            except LOST:
                return

    async def _ask(self, asker: Asker) -> None:
        answer = await asker.post(self._body(), "/responses")
        self._remember(answer.json())

    async def _run(self, asker: Asker) -> None:
        answer = await asker.post(self._body(background=True), "/responses")
        made = answer.json()
        self.background.add(made["id"])
        self.streams.setdefault(made["id"], [])

    async def _stream(self, asker: Asker) -> None:
        await self._hear(asker, self._body(stream=True))

    async def _watch(self, asker: Asker) -> None:
        await self._hear(asker, self._body(stream=True, background=True))

    async def _talk(self, asker: Asker) -> None:
        made = (await asker.post({}, "/conversations")).json()["id"]
        said = self.conversations.setdefault(made, [])
        for _ in range(2):
            body = self._body(conversation=made)
            answer = (await asker.post(body, "/responses")).json()
            said += [body["input"], answer["output"][0]["content"][0]["text"]]
            self._remember(answer)

    async def _hear(self, asker: Asker, body: Json) -> None:
        events: list[Json] = []
        async with asker.open(body, "/responses") as answer:
            async for event in frames(answer):
                if not events:
                    self.streams[event["response"]["id"]] = events
                    if body.get("background"):
                        self.background.add(event["response"]["id"])
                events.append(event)
        if events and events[-1]["type"] == "response.completed":
            self._remember(events[-1]["response"])

    def _remember(self, response: Json) -> None:
        assert response["status"] == "completed", response
        self.whole[response["id"]] = response

    def _body(self, **more: Any) -> Json:
        return {"model": "scripted", "input": self.text(), **more}

    async def check(self, asker: Asker) -> None:
        """Hold the server to all that was told: call it once everything has ended."""
        for response_id, told in self.whole.items():
            kept = (await asker.get(f"/responses/{response_id}")).json()
            assert kept["output"] == told["output"], (kept, told)
            assert kept["status"] == "completed"
        for response_id, seen in self.streams.items():
            await self._check_stream(asker, response_id, seen)
        for conversation, said in self.conversations.items():
            await self._check_conversation(asker, conversation, said)

    async def settled(self, asker: Asker, seconds: float = 20.0) -> None:
        """Wait until no response is under way."""
        async with asyncio.timeout(seconds):
            for response_id in self.streams:
                while True:
                    kept = (await asker.get(f"/responses/{response_id}")).json()
                    assert "error" not in kept or kept["error"] is None or "status" in kept, kept
                    if kept["status"] in ENDED:
                        break
                    await asyncio.sleep(0.05)

    async def _check_stream(self, asker: Asker, response_id: str, seen: list[Json]) -> None:
        kept = (await asker.get(f"/responses/{response_id}")).json()
        assert kept["status"] in ENDED, kept
        fold = Fold(seen)
        if response_id not in self.background:
            return  # a foreground run ends with its process: what it has not kept, it had not ended
        answer = await asker.get(f"/responses/{response_id}?stream=true")
        events = [event for event in answer.events() if event != "[DONE]"]
        assert events[: len(seen)] == seen, (events, seen)
        again = Fold(events)
        assert [event["sequence_number"] for event in events] == list(range(len(events)))
        assert again.ended
        assert again.response == kept
        if kept["status"] == "completed":
            assert again.output == kept["output"]
            assert fold.output == kept["output"][: len(fold.output)]

    async def _check_conversation(self, asker: Asker, conversation: str, said: list[str]) -> None:
        answer = await asker.get(f"/conversations/{conversation}/items?order=asc&limit=100")
        texts = [item["content"][0]["text"] for item in answer.json()["data"]]
        assert texts[: len(said)] == said, (texts, said)
        assert len(texts) in {len(said), len(said) + 2}, (
            texts
        )  # the last may have been kept unheard
        free = await asker.post(self._body(conversation=conversation), "/responses")
        assert free.status == 200, free.body
        said[:] = [
            *texts,
            self._input_of(free.json()),
            free.json()["output"][0]["content"][0]["text"],
        ]

    def _input_of(self, _: Json) -> str:
        return f"number {self.numbers}"
