"""A thousand streams at once, from a scripted upstream through `inhouse serve`: none may be
dropped, and none may come out of order.

Upstream, server and reader are three processes. Every stream is read to its end; its pieces are
numbers, and they must come as 0 1 2 3 ... and be followed by [DONE].

    python -m benchmarks.streams [--streams 1000] [--chunks 40] [--delay 0.25] [--check]
"""

import argparse
import asyncio
import json
import resource
import sys
import time
from dataclasses import dataclass, field

from benchmarks.load import cpu_seconds, request, rss_bytes
from benchmarks.servers import KEY, behind, inhouse, load_average, upstream


@dataclass(slots=True)
class Seen:
    """What all readers saw."""

    open_now: int = 0
    most: int = 0
    faults: list[str] = field(default_factory=list)
    chunks: int = 0


async def hear(port: int, data: bytes, chunks: int, seen: Seen) -> None:
    """One stream, read to its end; what is wrong with it goes into `seen.faults`."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head.partition(b"\r\n")[0]:
            seen.faults.append(head.partition(b"\r\n")[0].decode())
            return
        seen.open_now += 1
        seen.most = max(seen.most, seen.open_now)
        pieces, ended = await read(reader, seen)
        seen.open_now -= 1
        if pieces != [f"{number} " for number in range(chunks)]:
            seen.faults.append(f"pieces {pieces[:3]}... ({len(pieces)})")
        elif not ended:
            seen.faults.append("no [DONE]")
    except (OSError, asyncio.IncompleteReadError) as error:
        seen.faults.append(repr(error))
    finally:
        writer.close()


async def read(reader: asyncio.StreamReader, seen: Seen) -> tuple[list[str], bool]:
    """The pieces of text of a stream, and whether it said that it is done."""
    pieces: list[str] = []
    while line := await reader.readline():
        if not line.startswith(b"data: "):
            continue
        seen.chunks += 1
        if line.startswith(b"data: [DONE]"):
            return pieces, True
        choices = json.loads(line[6:]).get("choices")
        if choices and choices[0]["delta"].get("content"):
            pieces.append(choices[0]["delta"]["content"])
    return pieces, False


async def hear_all(port: int, streams: int, chunks: int) -> Seen:
    """All streams at once."""
    messages = [{"role": "user", "content": "Count."}]
    body = json.dumps({"model": "scripted", "messages": messages, "stream": True}).encode()
    data, seen = request("/v1/chat/completions", KEY, body), Seen()
    await asyncio.gather(*(hear(port, data, chunks, seen) for _ in range(streams)))
    return seen


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--chunks", type=int, default=40)
    parser.add_argument("--delay", type=float, default=0.25)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    pace = ("--chunks", str(arguments.chunks), "--delay", str(arguments.delay))
    with upstream(*pace) as url, inhouse(config=behind(url)) as server:
        before, started = cpu_seconds(server.pid), time.monotonic()
        seen = asyncio.run(hear_all(server.port, arguments.streams, arguments.chunks))
        seconds, cpu = time.monotonic() - started, cpu_seconds(server.pid) - before
        memory = rss_bytes(server.pid) / 2**20
    rows = {
        "streams": arguments.streams,
        "open at once": seen.most,
        "dropped or out of order": len(seen.faults),
        "chunks": seen.chunks,
        "seconds": round(seconds, 1),
        "CPU of the API process, s": round(cpu, 2),
        "CPU per chunk, µs": round(cpu / max(seen.chunks, 1) * 1e6),
        "RSS of the API process, MiB": round(memory),
    }
    for name, value in rows.items():
        print(f"{name:32}{value:>12}")
    print(load_average())
    for fault in sorted(set(seen.faults))[:10]:
        print(f"  {seen.faults.count(fault)} x {fault}")
    missed = bool(seen.faults) or seen.most < arguments.streams
    print(f"target (all at once, none dropped, all in order): {'MISSED' if missed else 'met'}")
    return int(missed and arguments.check)


if __name__ == "__main__":
    sys.exit(main())
