"""The official client, really used, with a transport that keeps what it sends. No network."""

import email.parser
import email.policy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

import httpx2
from openai import OpenAI
from tools.contract.document import shape

from inhouse.contract import Contract, OperationSpec, parse

Call = Callable[[OpenAI], object]


@dataclass(frozen=True, slots=True)
class Sent:
    """One request as it left the client."""

    method: str
    path: str
    query: list[tuple[str, str]]
    content_type: str
    content: bytes

    @property
    def beta(self) -> bool:
        return ("beta", "true") in self.query

    def form(self) -> list[tuple[str, Any]]:
        """The parts of a multipart body: texts as text, files as bytes."""
        head = f"Content-Type: {self.content_type}\r\n\r\n".encode()
        message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + self.content)
        return [
            (
                str(part.get_param("name", header="content-disposition")),
                part.get_payload(decode=True)
                if part.get_filename()
                else str(part.get_payload(decode=True), "utf-8"),
            )
            for part in message.iter_parts()
        ]


def record(call: Call) -> Sent:
    """What `call` makes the client send. What it does with the (empty) answer does not matter."""
    sent: list[Sent] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        url = request.url
        sent.append(
            Sent(
                request.method,
                url.raw_path.decode().partition("?")[0].removeprefix("/v1"),
                parse_qsl(url.query.decode(), keep_blank_values=True),
                request.headers.get("content-type", ""),
                request.read(),
            )
        )
        return httpx2.Response(200, json={})

    with _client(answer) as client:
        try:
            call(client)
        except Exception:
            if not sent:
                raise
    return sent[0]


@contextmanager
def _client(answer: Callable[[httpx2.Request], httpx2.Response]) -> Iterator[OpenAI]:
    transport = httpx2.MockTransport(answer)
    with (
        httpx2.Client(transport=transport) as http,
        OpenAI(
            api_key="sk-test",
            admin_api_key="sk-test",
            base_url="http://inhouse.test/v1",
            http_client=http,
            max_retries=0,
        ) as client,
    ):
        yield client


def check(spec: OperationSpec, sent: Sent) -> None:
    """Check a request as the server would: its query, then its form or its JSON."""
    spec.read_query([pair for pair in sent.query if pair != ("beta", "true")])
    if not spec.body:
        return
    if sent.content_type.startswith("multipart/form-data"):
        spec.read_form(sent.form())
    elif sent.content_type == "application/sdp":
        spec.check_body({"sdp": sent.content.decode()})
    else:
        spec.check_body(parse(sent.content or b"{}"))


@cache
def contract() -> Contract:
    return Contract.load()


def find(sent: Sent) -> OperationSpec:
    """The operation that a request means."""
    wanted = sent.path.strip("/").split("/")
    best: OperationSpec | None = None
    for spec in contract().operations.values():
        names = spec.path.strip("/").split("/")
        if spec.method != sent.method or len(names) != len(wanted):
            continue
        fits = all(n == w or n.startswith("{") for n, w in zip(names, wanted, strict=True))
        if fits and (best is None or shape(spec.key).count("{}") < shape(best.key).count("{}")):
            best = spec
    assert best is not None, f"no operation for {sent.method} {sent.path}"
    return best.beta if sent.beta and best.beta else best
