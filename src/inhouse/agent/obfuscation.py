"""Random padding of streamed chunks, so that their sizes do not tell what is said to someone who
watches the encrypted line.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from secrets import token_urlsafe

from inhouse.engines.text import Json

_BLOCK = 32
"""A chunk's text and its padding together are a multiple of this many characters."""


async def obfuscated(
    batches: AsyncGenerator[Sequence[Json], None],
) -> AsyncGenerator[Sequence[Json], None]:
    """The same chunks, those that say something with `obfuscation`."""
    async with aclosing(batches):
        async for batch in batches:
            yield [_padded(chunk) if chunk["choices"] else chunk for chunk in batch]


async def obfuscated_events(
    batches: AsyncGenerator[Sequence[Json], None],
) -> AsyncGenerator[Sequence[Json], None]:
    """The same events of a response, deltas with `obfuscation`."""
    async with aclosing(batches):
        async for batch in batches:
            yield [
                {**event, "obfuscation": _padding(len(event["delta"]))}
                if "delta" in event
                else event
                for event in batch
            ]


def _padded(chunk: Json) -> Json:
    said = sum(len(str(choice["delta"])) for choice in chunk["choices"])
    return {**chunk, "obfuscation": _padding(said)}


def _padding(said: int) -> str:
    return token_urlsafe(_BLOCK)[: -said % _BLOCK or _BLOCK]
