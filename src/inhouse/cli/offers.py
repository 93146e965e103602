"""The models of upstreams, for commands: what is listed, and what their servers take."""

import asyncio
from typing import Any

from inhouse.cli import terminal
from inhouse.cli.client import Client
from inhouse.cli.failures import Failure
from inhouse.engines.client_endpoints import Endpoints
from inhouse.engines.upstream_facts import NOTHING, Facts, able, told
from inhouse.engines.upstream_probe import probe
from inhouse.engines.wire import Limits
from inhouse.settings import Upstream

Json = dict[str, Any]
_PROBE_SECONDS = 20.0


def listed(upstream: Upstream) -> list[Json]:
    """The models that an upstream offers; what goes wrong is told on standard error."""
    names = upstream.models
    if names is None:
        try:
            client = Client(upstream.base_urls[0], upstream.api_key, upstream.connect_seconds)
            names = [model["id"] for model in client.get("/models")["data"]]
        except (Failure, KeyError, TypeError) as error:
            terminal.note(f"upstream {upstream.name}: {error}")
            return []
    return [_wire(upstream, name, NOTHING) for name in names]


def learned(upstream: Upstream, name: str) -> Json:
    """One of its models, with what its server takes; asks it for a few tokens, unless its settings
    say not to."""
    return _wire(upstream, name, asyncio.run(_asked(upstream, name)) if upstream.probe else NOTHING)


async def _asked(upstream: Upstream, name: str) -> Facts:
    limits = Limits(upstream.connect_seconds, upstream.first_byte_seconds, upstream.idle_seconds)
    endpoints = Endpoints(
        upstream.base_urls, api_key=upstream.api_key, limits=limits, retries=0, probe_seconds=0
    )
    try:
        return await probe(endpoints, name, _PROBE_SECONDS)
    finally:
        await endpoints.close()


def _wire(upstream: Upstream, name: str, facts: Facts) -> Json:
    return {
        "id": name,
        "state": "upstream",
        "engine": "upstream",
        "source": upstream.name,
        "base_urls": list(upstream.base_urls),
        "server": facts.server or None,
        "abilities": sorted(able(upstream, facts)),
        "context_length": upstream.context_length,
        "size": None,
        "takes_developer": facts.developer,
        "counts_tokens": facts.counts,
        "fields": {
            field: {"rule": rule, "by": by} for field, (rule, by) in told(upstream, facts).items()
        },
    }
