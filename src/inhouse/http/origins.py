"""Which pages and host names may reach this server."""

from collections.abc import Collection

from inhouse.errors import PermissionDenied

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def check_loopback(host: str | None, origin: str | None) -> None:
    """403 unless the request's Host is a loopback name and its Origin, if any, is one too.

    For a server without authentication: a page on the internet must not reach it by a name of its
    own that leads to this machine.
    """
    foreign = origin is not None and _name(_host(origin)) not in _LOOPBACK
    if foreign or _name(host or "") not in _LOOPBACK:
        raise PermissionDenied(
            "This server runs without authentication and answers only to loopback host names.",
            code="host_not_allowed",
        )


def check_origin(host: str | None, origin: str | None, allowed: Collection[str]) -> None:
    """403 if the request comes from a page that is neither this server's own nor of an `allowed`
    origin (`*`: all).

    Browsers let any page open a WebSocket to any server; only the server can refuse.
    """
    if origin is None or "*" in allowed or origin in allowed:
        return
    if _host(origin).lower() != (host or "").lower():
        raise PermissionDenied(
            f"Pages of the origin {origin} may not connect to this server.",
            code="origin_not_allowed",
        )


def _host(origin: str) -> str:
    """`host` or `host:port` of `scheme://host:port`; of `null` nothing."""
    return origin.partition("://")[2]


def _name(host: str) -> str:
    """The name or address of `host`, `host:port` or `[address]:port`."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()
