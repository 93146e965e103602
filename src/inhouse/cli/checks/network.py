"""What is in reach: the server's own port, and the upstreams."""

import socket

from inhouse.cli.checks.finding import Finding, missing, ok, warning
from inhouse.cli.client import Client
from inhouse.cli.failures import Failure
from inhouse.settings import Settings, Upstream


def findings(settings: Settings, *, upstreams: bool) -> list[Finding]:
    """The port, and each URL of each upstream."""
    found = [port(settings)]
    if upstreams:
        found += [upstream(entry, url) for entry in settings.upstreams for url in entry.base_urls]
    return found


def port(settings: Settings) -> Finding:
    """Free, or used by an inhouse server."""
    what, place = "Port", f"{settings.host}:{settings.port}"
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            if running(settings):
                return ok(what, f"{place} is used by a running inhouse server")
            return missing(what, f"{place}: {error.strerror}. Choose another with --port.")
    return ok(what, f"{place} is free")


def running(settings: Settings) -> bool:
    """Whether an inhouse server answers where the settings say."""
    certificate = str(settings.tls_certificate) if settings.tls_certificate else None
    try:
        answer = Client(settings.url, timeout=2.0, certificate=certificate).get("/healthz/live")
    except Failure:
        return False
    return answer.get("status") == "live"


def upstream(entry: Upstream, url: str) -> Finding:
    """Whether it lists its models."""
    what = f"Upstream {entry.name}"
    try:
        answer = Client(url, key=entry.api_key, timeout=entry.connect_seconds).get("/models")
        count = len(answer["data"])
    except Failure as error:
        return missing(what, f"{url} does not answer: {error}")
    except (KeyError, TypeError):
        return warning(what, f"{url} answers, but does not list its models as OpenAI does")
    return ok(what, f"{url} offers {count} model{'' if count == 1 else 's'}")
