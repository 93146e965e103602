"""Finding out what an upstream takes: a few requests for one token each, once.

Its kind is read from what it lists. The rest is asked: first everything at once; only what is
refused then is asked for piece by piece. A server that fails or hangs leaves what was found so far.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec

from inhouse.engines import abilities
from inhouse.engines.client_chunks import Chunk, decode_chunk
from inhouse.engines.client_endpoints import Endpoints
from inhouse.engines.client_errors import error_object, error_of
from inhouse.engines.client_fields import FieldMap
from inhouse.engines.client_sse import DONE, Events
from inhouse.engines.text import Json
from inhouse.engines.upstream_facts import Facts
from inhouse.engines.upstream_kinds import Kind, fields_of, kind_of
from inhouse.engines.upstream_tokens import count_chat
from inhouse.engines.wire import WireError
from inhouse.errors import APIError, BadRequest, ServerError

_LIMITS = ("max_tokens", "max_completion_tokens")
_EXTENSIONS: Json = {"top_k": 20, "min_p": 0.01, "repetition_penalty": 1.0}
"""Of the extensions those that most servers know, with values that change little."""
_LOGPROBS: Json = {"logprobs": True, "top_logprobs": 1}
_USAGE: Json = {"stream_options": {"include_usage": True}}
_MOST_BYTES = 64 * 1024


def identified(listed: Sequence[Json]) -> Facts:
    """What a listing alone tells."""
    kind = kind_of(listed)
    return _known(kind, "") if kind else Facts()


async def probe(endpoints: Endpoints, model: str, seconds: float = 60.0) -> Facts:
    """Ask the server, with its `model`. Never raises what the server causes, and takes no longer
    than `seconds`."""
    facts = Facts()
    try:
        async with asyncio.timeout(seconds):
            kind, facts = await _identify(endpoints)
            hello: Json = {"messages": [{"role": "user", "content": "Hello"}]}
            counted = await count_chat(endpoints, model, FieldMap({}), hello)
            facts = replace(facts, counts=counted is not None)
            return await _ask(_Asker(endpoints, model), kind, facts)
    except (TimeoutError, APIError, WireError):
        return facts


async def _identify(endpoints: Endpoints) -> tuple[Kind | None, Facts]:
    listed: list[Json] = (await endpoints.get("/models")).get("data") or []
    kind = kind_of(listed)
    if kind is None:
        return None, Facts()
    for path, key in kind.told:
        try:
            told = (await endpoints.get(path, root=True)).get(key)
        except APIError:
            continue
        if isinstance(told, str):
            return kind, _known(kind, told)
    return kind, _known(kind, "")


def _known(kind: Kind, version: str) -> Facts:
    return Facts(
        server=f"{kind.name} {version}".strip(), fields=fields_of(kind, version), lacks=kind.lacks
    )


@dataclass(frozen=True, slots=True)
class _Heard:
    """What an answer had in it; None: it had no place for it."""

    usage: bool
    logprobs: bool | None


class _Asker:
    """Asks for one token, again and again."""

    def __init__(self, endpoints: Endpoints, model: str) -> None:
        self._endpoints = endpoints
        self._model = model
        self.limit = _LIMITS[0]

    async def ask(self, extra: Json, role: str | None = None) -> _Heard | None:
        """What the answer had; None if the request was refused. Raises `APIError` otherwise.

        `role` says something first.
        """
        said = [{"role": "user", "content": "Hello"}]
        if role:
            said.insert(0, {"role": role, "content": "Be brief."})
        body: Json = {"model": self._model, "messages": said, self.limit: 1, "stream": True}
        try:
            reply = await self._endpoints.post(
                "/chat/completions", msgspec.json.encode(body | extra), retries=0
            )
        except BadRequest:
            return None
        events, data, size = Events(), reply.first, 0
        chunks: list[Chunk] = []
        try:
            while data and size < _MOST_BYTES:
                size += len(data)
                chunks += _chunks(events.feed(data))
                data = await reply.response.take()
        except msgspec.DecodeError as error:
            raise ServerError("The model's server sent an answer that cannot be read.") from error
        finally:
            reply.response.close()
        return _heard(chunks)


def _chunks(events: Sequence[bytes]) -> list[Chunk]:
    return [decode_chunk(event) for event in events if not event.startswith(DONE)]


def _heard(chunks: Sequence[Chunk]) -> _Heard | None:
    """None for an answer that turned out to be a refusal. Raises `APIError` for other errors."""
    choices = [choice for chunk in chunks for choice in chunk.choices or ()]
    errors = [chunk.error for chunk in chunks if chunk.error is not None]
    if errors:
        failure = error_of(0, error_object({"error": errors[0]}), {})
        if isinstance(failure, BadRequest):
            return None
        raise failure
    if not choices:
        raise ServerError("The model's server sent an answer without a choice.")
    said = [choice for choice in choices if choice.delta and choice.delta.content]
    told = [choice for choice in choices if choice.logprobs is not None]
    return _Heard(
        usage=any(chunk.usage is not None for chunk in chunks),
        logprobs=bool(told) if said or told else None,
    )


async def _ask(asker: _Asker, kind: Kind | None, facts: Facts) -> Facts:
    """What requests find out."""
    extensions = _EXTENSIONS if kind is None else {}
    everything = {**_USAGE, **_LOGPROBS, **extensions}
    heard = await asker.ask(everything, "developer")
    if heard is not None:
        facts = replace(facts, developer=True)
        return replace(_listened(heard, _limited(asker, facts)), whole=True)
    if not await _find_limit(asker):
        return replace(facts, whole=True)  # its model does not chat: nothing can be asked
    return replace(await _piece_by_piece(asker, _limited(asker, facts), extensions), whole=True)


async def _find_limit(asker: _Asker) -> bool:
    """Which name of the limit is taken; whether one is."""
    for asker.limit in _LIMITS:
        if await asker.ask({}):
            return True
    return False


async def _piece_by_piece(asker: _Asker, facts: Facts, extensions: Json) -> Facts:
    facts = replace(facts, developer=await asker.ask({}, "developer") is not None)
    heard = await asker.ask(_USAGE)
    facts = (
        _listened(replace(heard, logprobs=None), facts)
        if heard
        else _ruled(facts, {"stream_options": ""})
    )
    heard = await asker.ask(_LOGPROBS)
    facts = _listened(heard, facts) if heard else _without_logprobs(facts)
    asked = {name: await asker.ask({name: value}) for name, value in extensions.items()}
    refused = {name: False for name, heard in asked.items() if heard is None}
    if refused and len(refused) == len(extensions):
        return replace(facts, lacks=facts.lacks | {abilities.EXTENSIONS})
    return _ruled(facts, refused)


def _listened(heard: _Heard, facts: Facts) -> Facts:
    """What an answer tells of what was asked for."""
    if heard.usage:
        facts = _ruled(facts, {"stream_options": True})
    return _without_logprobs(facts) if heard.logprobs is False else facts


def _without_logprobs(facts: Facts) -> Facts:
    return replace(facts, lacks=facts.lacks | {abilities.LOGPROBS})


def _limited(asker: _Asker, facts: Facts) -> Facts:
    """With the rule for the limit: under the name that was taken, unless its kind has a rule."""
    old, new = _LIMITS
    return replace(facts, fields={new: old if asker.limit == old else True, **facts.fields})


def _ruled(facts: Facts, rules: Json) -> Facts:
    return replace(facts, fields={**facts.fields, **rules})
