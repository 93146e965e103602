"""Splits think markers off a text that comes in pieces: `<think>...</think>` before an answer is
reasoning."""

from inhouse.engines.text import Json, Reasoning, Text

_OPEN = "<think>"
_CLOSE = "</think>"


class ThinkMarkers:
    """The state of one choice. `plain` once the text is known to hold no (more) marker: callers may
    then pass it by.

    Only a text that *begins* with the marker has reasoning; a marker in the middle is text.
    """

    __slots__ = ("_held", "_inside", "_logprobs", "_trim", "plain")

    def __init__(self) -> None:
        self.plain = False
        self._inside = False
        self._trim = False
        self._held = ""
        self._logprobs: list[Json] = []

    def feed(self, choice: int, text: str, logprobs: list[Json] | None) -> list[Text | Reasoning]:
        """What is known now. The logprobs of reasoning are dropped: the form has no place
        for them."""
        self._held += text
        if not self._inside and not self._trim:
            self._logprobs += logprobs or ()
            start = self._held.lstrip()
            if len(start) < len(_OPEN) and _OPEN.startswith(start):
                return []
            if not start.startswith(_OPEN):
                return self.flush(choice)
            self._inside = True
            self._held = start[len(_OPEN) :].lstrip("\n")
            self._logprobs = []
        if self._inside:
            return self._reason(choice, logprobs)
        return self._answer(choice, logprobs)

    def flush(self, choice: int) -> list[Text | Reasoning]:
        """What is still held back, as what it turned out to be."""
        text, self._held = self._held, ""
        self.plain = True
        if not text and not self._logprobs:
            return []
        if self._inside:
            return [Reasoning(choice, text)]
        return [Text(choice, text, self._logprobs or None)]

    def _reason(self, choice: int, logprobs: list[Json] | None) -> list[Text | Reasoning]:
        thought, marker, after = self._held.partition(_CLOSE)
        if marker:
            self._inside, self._trim, self._held = False, True, after
            first: list[Text | Reasoning] = [Reasoning(choice, thought)] if thought else []
            return first + self._answer(choice, None)
        keep = overlap(thought, _CLOSE)
        self._held = thought[len(thought) - keep :]
        thought = thought[: len(thought) - keep]
        return [Reasoning(choice, thought)] if thought else []

    def _answer(self, choice: int, logprobs: list[Json] | None) -> list[Text | Reasoning]:
        """The text after the marker, without the line breaks that set it off."""
        text = self._held.lstrip("\n")
        self._held = ""
        if not text:
            return []
        self.plain = True
        return [Text(choice, text, logprobs)]


def overlap(text: str, marker: str) -> int:
    """How many characters at the end of `text` may be the beginning of `marker`."""
    return next((n for n in range(len(marker) - 1, 0, -1) if text.endswith(marker[:n])), 0)
