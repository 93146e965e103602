"""The one implementation of text: a client of an OpenAI-compatible server.

Sends a call's body, changed by the upstream's field map, and turns the answer, streamed or whole,
into batches of deltas. Used for every upstream and, below `inhouse.engines.embedded`, for the
engine in the child process.
"""

import logging
from collections.abc import AsyncGenerator, Sequence

import msgspec

from inhouse.engines import abilities
from inhouse.engines.client_chunks import Chunk, decode_chunk
from inhouse.engines.client_deltas import Deltas
from inhouse.engines.client_endpoints import Endpoints, Reply
from inhouse.engines.client_errors import error_object, error_of
from inhouse.engines.client_fields import FieldMap, Profile
from inhouse.engines.client_sse import DONE, Events
from inhouse.engines.text import Delta, Json, TextCall
from inhouse.engines.wire import TimedOut, WireError
from inhouse.errors import ServerError

_LOG = logging.getLogger(__name__)
_ENCODE = msgspec.json.Encoder().encode

ASSUMED = frozenset(
    {
        abilities.TEXT,
        abilities.LOGPROBS,
        abilities.JSON_SCHEMA,
        abilities.TOOLS,
        abilities.TOKEN_PROMPTS,
        abilities.EXTENSIONS,
    }
)
"""What a server of open models is taken to be able to do, unless its settings say otherwise."""


class OpenAICompatible:
    """One model of an upstream, as a `TextEngine`. `model` is its name there."""

    def __init__(
        self,
        endpoints: Endpoints,
        model: str,
        *,
        able: frozenset[str] = ASSUMED,
        fields: FieldMap | None = None,
    ) -> None:
        self._endpoints = endpoints
        self._model = model
        self.profile = Profile(able, fields or FieldMap({}))
        """May be changed, for the calls that follow."""

    @property
    def abilities(self) -> frozenset[str]:
        return self.profile.able

    def generate(self, call: TextCall) -> AsyncGenerator[Sequence[Delta], None]:
        """See `TextEngine`. Raises `APIError`; after the first batch it is a `ServerError`."""
        legacy = call.kind == "completion"
        fields = self.profile.fields
        body = fields.apply(call.body)
        body["model"] = self._model
        if body.get("stream") and fields.sends("stream_options"):
            body["stream_options"] = {"include_usage": True}
        else:
            body.pop("stream_options", None)
        deltas = Deltas(call.body.get("logprobs" if legacy else "top_logprobs") or 0)
        return send(self._endpoints, body, deltas, legacy=legacy)

    async def models(self) -> list[Json]:
        """What the upstream lists."""
        return (await self._endpoints.get("/models")).get("data") or []


async def send(
    endpoints: Endpoints, body: Json, deltas: Deltas, *, legacy: bool = False
) -> AsyncGenerator[Sequence[Delta], None]:
    """Send a body as it is and read the answer through `deltas`. Closing the iterator closes the
    connection."""
    encoded = _ENCODE(body)
    path = "/completions" if legacy else "/chat/completions"
    reply = await endpoints.post(path, encoded, legacy=legacy)
    try:
        if reply.response.header(b"content-type").startswith(b"text/event-stream"):
            async for batch in _stream(reply, deltas, len(encoded)):
                yield batch
        else:
            yield await _whole(reply, deltas, len(encoded))
    finally:
        reply.response.close()


async def _whole(reply: Reply, deltas: Deltas, prompt_bytes: int) -> Sequence[Delta]:
    """An answer that was not streamed, as one batch."""
    try:
        body = reply.first + await reply.response.read()
    except WireError as error:
        raise _broken_off(error) from error
    out: list[Delta] = []
    chunk = _decode(body, reply, begun=False)
    if not chunk.choices:
        raise ServerError("The model's server sent an answer without a choice.")
    deltas.add(chunk, out)
    return out + deltas.end(prompt_bytes)


async def _stream(
    reply: Reply, deltas: Deltas, prompt_bytes: int
) -> AsyncGenerator[Sequence[Delta], None]:
    events = Events()
    data, begun, done = reply.first, False, False
    while data and not done:
        out: list[Delta] = []
        done = _read(events.feed(data), reply, deltas, out, begun=begun)
        if out:
            begun = True
            yield out
        if not done:
            try:
                data = await reply.response.take()
            except WireError as error:
                raise _broken_off(error) from error
    last: list[Delta] = []
    done = done or _read(events.rest(), reply, deltas, last, begun=begun)
    if not done and not deltas.finished:
        raise ServerError("The model's server ended its answer in the middle.")
    yield last + deltas.end(prompt_bytes)
    reply.response.finish()


def _read(
    events: Sequence[bytes], reply: Reply, deltas: Deltas, out: list[Delta], *, begun: bool
) -> bool:
    """Append the events' deltas to `out`; whether the stream said that it is done."""
    for event in events:
        if event.startswith(DONE):
            return True
        deltas.add(_decode(event, reply, begun=begun or bool(out)), out)
    return False


def _decode(data: bytes, reply: Reply, *, begun: bool) -> Chunk:
    try:
        chunk = decode_chunk(data)
    except msgspec.DecodeError as error:
        _LOG.warning("%s sent what is no chunk: %s", reply.response.origin.name, error)
        raise ServerError("The model's server sent an answer that cannot be read.") from error
    if chunk.error is not None or chunk.object == "error" or chunk.choices is None:
        _raise(data, reply, begun=begun)
    return chunk


def _raise(data: bytes, reply: Reply, *, begun: bool) -> None:
    """Raise what an error in the place of a chunk means; nothing for a chunk that has only
    usage."""
    value = msgspec.json.decode(data)
    if "usage" in value and not value.get("error"):
        return
    error = error_of(0, error_object(value), {}, legacy=reply.legacy)
    _LOG.warning("%s failed in its answer: %s", reply.response.origin.name, error.message)
    if begun:
        raise ServerError("The model's server failed in the middle of its answer.")
    raise error


def _broken_off(error: WireError) -> ServerError:
    if isinstance(error, TimedOut):
        return ServerError("The model's server fell silent in the middle of its answer.")
    return ServerError("The connection to the model's server was lost in the middle of its answer.")
