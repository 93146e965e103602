"""Compaction: a context told again in fewer tokens.

What is left are the messages of the user, the developer and the system, word for word, and one
compaction item, whose sealed content is a summary of everything else. Only items before it are
summed up, so that whoever replays a compacted context reads the same as whoever keeps all of it.
"""

from collections.abc import Sequence

from inhouse.agent.responses import messages, pairs
from inhouse.agent.responses.kinds import KINDS
from inhouse.engines.text import Json
from inhouse.ids import IdMaker

_DEFAULT_SHARE = 0.8
_SHORTEST_CONTEXT = 1000
_ASK = (
    "Sum up our conversation so far, for an assistant that will go on with it and can read no"
    " message but those of the user. Write down what has been done and decided, what was found out"
    " (names, numbers, paths, exact words that matter), what tools returned, and what is still to"
    " be done. Write the summary only, as plain text."
)


def visible(items: Sequence[Json]) -> list[Json]:
    """What of a context the model still reads: before the last compaction item only what people
    said, and calls whose outputs come later.
    """
    last = max((at for at, item in enumerate(items) if item["type"] == "compaction"), default=0)
    if not last:
        return list(items)
    later = {pairs.call_id(item) for item in items[last:] if item["type"] in pairs.OUTPUTS}
    before = [item for item in items[:last] if _said_by_people(item) or _open(item, later)]
    return [*before, *items[last:]]


def _said_by_people(item: Json) -> bool:
    return item["type"] == "message" and item["role"] != "assistant"


def _open(item: Json, later: set[str | None]) -> bool:
    return pairs.answered_by_client(item) and pairs.call_id(item) in later


async def summary_body(
    instructions: str | None, items: Sequence[Json], reading: messages.Reading
) -> Json:
    """The chat body of the call whose answer is the summary of `items`. Calls may be unanswered as
    yet; BadRequest for an output without its call.
    """
    read = visible(items)
    pairs.unanswered(read)
    told = await messages.for_engine(instructions, read, reading)
    return {"messages": [*told, {"role": "user", "content": _ASK}]}


def compaction_item(item_id: str, summary: str, seal: messages.Sealing) -> Json:
    """The item that stands for all that the summary sums up."""
    return {"id": item_id, "type": "compaction", "encrypted_content": seal(summary)}


def compacted(
    items: Sequence[Json], summary: str, seal: messages.Sealing, ids: IdMaker
) -> list[Json]:
    """The context in place of `items`: what people said in it, then the compaction item."""
    return [
        *(item for item in items if _said_by_people(item)),
        compaction_item(ids(KINDS["compaction"].prefix), summary, seal),
    ]


def threshold(body: Json, context_length: int | None) -> int | None:
    """The number of input tokens from which the context is compacted first; None if it never is.

    Where the request asks for compaction without a number: most of the model's context.
    """
    managed: Sequence[Json] = body.get("context_management") or ()
    if not managed:
        return None
    asked = [entry["compact_threshold"] for entry in managed if entry.get("compact_threshold")]
    if asked:
        return min(asked)
    if not context_length:
        return None
    return max(_SHORTEST_CONTEXT, int(context_length * _DEFAULT_SHARE))
