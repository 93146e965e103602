"""`inhouse chat`: a conversation in the terminal, through the HTTP API of a running server.

If no server runs, one is started for as long as the conversation lasts.
"""

import argparse
import importlib
import os
import sys
from collections.abc import Generator, Iterable
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from inhouse.cli import terminal
from inhouse.cli.parsing import Parser, add_settings, read_settings
from inhouse.settings import Settings

Json = dict[str, Any]

_CLOUD_MODEL = "gpt-5.2"
_HELP = "/exit ends, /clear forgets the conversation, Ctrl-C stops an answer."


def add(parser: Parser) -> None:
    """What to say, to whom, where."""
    parser.add_argument("prompt", nargs="?", help="say this, print the answer, end")
    parser.add_argument("--model", help="the model (else the server's default)")
    parser.add_argument("--system", metavar="TEXT", help="instructions for the model")
    parser.add_argument(
        "--url", help="another server's base URL, /v1 included; key in OPENAI_API_KEY"
    )
    parser.add_argument("--max-tokens", type=int, metavar="N", help="longest answer, in tokens")
    add_settings(parser, ("data", "config", "host", "port", "models"))
    parser.set_defaults(run=run)


@dataclass(slots=True)
class Conversation:
    """What was said so far. `client` streams answers; a question without answer is dropped."""

    client: Any
    model: str
    messages: list[Json] = field(default_factory=list[Json])
    max_tokens: int | None = None

    def answer(self, question: str) -> Generator[str]:
        """The pieces of the answer. What came before the caller stopped is remembered."""
        self.messages.append({"role": "user", "content": question})
        said: list[str] = []
        try:
            with closing(self.client.stream("/chat/completions", self._body())) as events:
                for piece in _pieces(events):
                    said.append(piece)
                    yield piece
        finally:
            if said:
                self.messages.append({"role": "assistant", "content": "".join(said)})
            else:
                self.messages.pop()

    def clear(self) -> None:
        """Forget all but the instructions."""
        self.messages = [message for message in self.messages if message["role"] == "system"]

    def _body(self) -> Json:
        body: Json = {"model": self.model, "messages": self.messages, "stream": True}
        if self.max_tokens:
            body["max_completion_tokens"] = self.max_tokens
        return body


def _pieces(events: Iterable[Json]) -> Generator[str]:
    for event in events:
        for choice in event["choices"]:
            text = choice["delta"].get("content") or choice["delta"].get("refusal")
            if text:
                yield text


def run(arguments: argparse.Namespace) -> int:
    """One answer, or a conversation until /exit."""
    settings = read_settings(arguments)
    with _server(settings, arguments.url) as client:
        model = arguments.model or _default_model(client)
        conversation = Conversation(client, model, max_tokens=arguments.max_tokens)
        if arguments.system:
            conversation.messages.append({"role": "system", "content": arguments.system})
        prompt = arguments.prompt
        if prompt is None and not sys.stdin.isatty():
            prompt = sys.stdin.read()
        if prompt is not None:
            _print(conversation.answer(prompt))
        else:
            _talk(conversation)
    return 0


def _talk(conversation: Conversation) -> None:
    importlib.import_module("readline")  # gives input() its line editing
    terminal.note(f"{conversation.model}. {_HELP}")
    while True:
        try:
            line = input("> ").strip()
        except (EOFError, KeyboardInterrupt):
            terminal.say("")
            return
        if line in {"/exit", "/quit"}:
            return
        if line == "/clear":
            conversation.clear()
        elif line.startswith("/"):
            terminal.note(_HELP)
        elif line:
            _turn(conversation, line)


def _turn(conversation: Conversation, question: str) -> None:
    from inhouse.cli.failures import Failure  # noqa: PLC0415 - --help needs nothing of it

    try:
        _print(conversation.answer(question))
    except Failure as failure:
        terminal.note(str(failure))
    except KeyboardInterrupt:
        terminal.say(" [stopped]")


def _print(pieces: Generator[str]) -> None:
    with closing(pieces):
        for piece in pieces:
            sys.stdout.write(piece)
            sys.stdout.flush()
    terminal.say("")


@contextmanager
def _server(settings: Settings, url: str | None) -> Generator[Any]:
    """A client of the server at `url`, or of the one that runs here, or of one started for this."""
    from inhouse.cli import embedded  # noqa: PLC0415 - --help needs nothing of it
    from inhouse.cli.client import Client  # noqa: PLC0415

    key = os.environ.get("OPENAI_API_KEY")
    if url is not None:
        yield Client(url.rstrip("/"), key=key, timeout=300.0)
    else:
        with embedded.client(settings, key) as client:
            yield client


def _default_model(client: Any) -> str:
    """What the alias rules make of a cloud's model, or else the first model there is."""
    from inhouse.cli.failures import Failure  # noqa: PLC0415 - --help needs nothing of it

    with suppress(Failure):
        return client.get(f"/models/{_CLOUD_MODEL}")["id"]
    models = [model["id"] for model in client.get("/models")["data"]]
    if not models:
        raise Failure("The server has no model. Pull one: inhouse models pull --defaults")
    return models[0]
