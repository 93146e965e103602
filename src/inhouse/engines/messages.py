"""What is in the messages of a chat."""

from collections.abc import Sequence

from inhouse.engines.text import Json

_WORDS = ("text", "refusal")


def text_only(messages: Sequence[Json]) -> bool:
    """Whether there are no images, sounds or files in them."""
    return all(part.get("type") in _WORDS for part in parts(messages))


def parts(messages: Sequence[Json]) -> list[Json]:
    """The parts of those messages whose content is a list of parts."""
    contents = (message.get("content") for message in messages)
    return [part for content in contents if isinstance(content, list) for part in content]
