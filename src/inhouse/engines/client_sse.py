"""Server-sent events as OpenAI-compatible servers send them: every event's data is one line.

Knows nothing of JSON. A `data:` line is one event; comments, ids and retry times are passed over.
"""

DONE = b"[DONE]"


class Events:
    """Splits the bytes of a stream, cut anywhere, into the data of its events."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The data of the events that are complete now, `[DONE]` included, in order."""
        lines = (self._rest + data if self._rest else data).split(b"\n")
        self._rest = lines.pop()
        return [
            line[5:].strip() if line.startswith(b"data:") else line[6:].strip()
            for line in lines
            if line.startswith((b"data:", b"error:"))
        ]

    def rest(self) -> list[bytes]:
        """What the stream ended in, where it ended without a line break."""
        return self.feed(b"\n")
