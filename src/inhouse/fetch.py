"""The one guarded client for URLs that a client gave: nobody reaches our network through us.

1. The URL is http or https, without credentials.
2. The host is resolved once, and every address must be public; an operator may allow a `host:port`.
3. The connection goes to the addresses that were checked: no second look-up, no proxy, no cookies.
4. A redirect begins again at 1.
5. The answer is bounded in time, size, number of redirects and media type; it is not decompressed.

The ports that this server listens on are never reached on this machine, whatever is allowed. What
engines and upstreams are asked goes through their own client, which knows no URL of a client.
"""

import asyncio
import base64
import binascii
import re
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Any, cast

from inhouse.errors import BadRequest

if TYPE_CHECKING:
    import aiohttp
    from aiohttp.abc import AbstractResolver
    from yarl import URL

__all__ = ["IMAGES", "FetchError", "Fetched", "Fetcher", "Limits", "read_image"]

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Takes a host and a port, returns addresses. Raises OSError."""

_LONGEST_URL = 8192
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_READ_BYTES = 64 * 1024
_USER_AGENT = "inhouse"


class FetchError(BadRequest):
    """The URL cannot be fetched, or may not be; the message says which, and no address."""

    code = "invalid_url"


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one fetch, redirects included.

    `media_types` are what may come back, each a type (`image/png`) or a family (`image/`).
    """

    size: int = 20 * 2**20
    seconds: float = 20.0
    redirects: int = 5
    media_types: tuple[str, ...] = ()


IMAGES = Limits(media_types=("image/png", "image/jpeg", "image/gif", "image/webp"))


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came back. `media_type` is lower case and without parameters."""

    content: bytes
    media_type: str


async def resolve(host: str, port: int) -> Sequence[str]:
    """All addresses of a host, by the machine's own resolver."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class Fetcher:
    """Fetches for `purpose`s (`image_url`, ...), each with its own list of allowed `host:port`.

    `own_ports` are those that this server listens on. `resolve` is handed in by tests.
    """

    def __init__(
        self,
        allowed: Mapping[str, Sequence[str]] | None = None,
        *,
        own_ports: Sequence[int] = (),
        resolve: Resolve = resolve,
    ) -> None:
        self._allowed = {
            purpose: frozenset(place.lower() for place in places)
            for purpose, places in (allowed or {}).items()
        }
        self._own_ports = frozenset(own_ports)
        self._resolve = resolve

    async def fetch(self, url: str, purpose: str, limits: Limits = IMAGES) -> Fetched:
        """GET `url`. Raises FetchError."""
        import aiohttp  # noqa: PLC0415 - a server that fetches nothing does not load it

        try:
            async with asyncio.timeout(limits.seconds):
                return await self._follow(url, purpose, limits)
        except TimeoutError:
            raise FetchError(f"Fetching the URL took longer than {limits.seconds:g} s.") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise FetchError("The URL could not be fetched.") from error

    async def _follow(self, url: str, purpose: str, limits: Limits) -> Fetched:
        place = _parsed(url)
        for _ in range(limits.redirects + 1):
            addresses = await self._addresses(place, purpose)
            found = await _get(place, addresses, limits)
            if isinstance(found, Fetched):
                return found
            place = _parsed(found)
        raise FetchError(f"The URL redirects more than {limits.redirects} times.")

    async def _addresses(self, place: "URL", purpose: str) -> Sequence[str]:
        """The addresses to connect to; FetchError unless all of them may be."""
        host, port = str(place.raw_host).rstrip("."), place.port or 0
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError):
            addresses = []
        if not addresses:
            raise FetchError("The URL's host was not found.")
        parsed = [ip_address(address.partition("%")[0]) for address in addresses]
        allowed = f"{host}:{port}".lower() in self._allowed.get(purpose, ())
        own = port in self._own_ports and any(_is_own(address) for address in parsed)
        if own or not (allowed or all(_is_public(address) for address in parsed)):
            raise FetchError("The URL's host is not one that may be fetched from.")
        return [str(address) for address in parsed]


async def _get(place: "URL", addresses: Sequence[str], limits: Limits) -> Fetched | str:
    """The answer of one request, or where it redirects to."""
    import aiohttp  # noqa: PLC0415 - see fetch

    connector = aiohttp.TCPConnector(
        resolver=cast("AbstractResolver", _Pinned(addresses)), use_dns_cache=False, force_close=True
    )
    headers = {"Accept-Encoding": "identity", "User-Agent": _USER_AGENT}
    async with (
        aiohttp.ClientSession(
            connector=connector,
            headers=headers,
            auto_decompress=False,
            trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        ) as session,
        session.get(place, allow_redirects=False) as response,
    ):
        if response.status in _REDIRECTS and (target := response.headers.get("Location")):
            return str(place.join(_url(target)))
        return await _read(response, limits)


async def _read(response: "aiohttp.ClientResponse", limits: Limits) -> Fetched:
    if response.status != 200:
        raise FetchError(f"The URL answered with status {response.status}.")
    media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if not any(
        media_type.startswith(each) if each.endswith("/") else media_type == each
        for each in limits.media_types
    ):
        raise FetchError(f"The URL's media type is {media_type or 'not given'}.")
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise FetchError("The URL answered with a compressed body, which was not asked for.")
    content = bytearray()
    if (response.content_length or 0) <= limits.size:
        async for piece in response.content.iter_chunked(_READ_BYTES):
            content += piece
            if len(content) > limits.size:
                break
        else:
            return Fetched(bytes(content), media_type)
    raise FetchError(f"The URL's content is larger than {limits.size} bytes.")


class _Pinned:
    """Resolves every name to the addresses that were checked."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: int = socket.AF_UNSPEC
    ) -> list[dict[str, Any]]:
        """In aiohttp's form."""
        del family
        return [
            {
                "hostname": host,
                "host": address,
                "port": port,
                "family": socket.AF_INET6 if ":" in address else socket.AF_INET,
                "proto": socket.IPPROTO_TCP,
                "flags": socket.AI_NUMERICHOST,
            }
            for address in self._addresses
        ]

    async def close(self) -> None:
        """Nothing to close."""


def _parsed(url: str) -> "URL":
    """The URL as the connection will see it, or FetchError."""
    if len(url) > _LONGEST_URL or not url.isprintable() or " " in url:
        raise FetchError("The URL is not valid.")
    place = _url(url)
    if place.scheme not in {"http", "https"} or not place.raw_host:
        raise FetchError("Only http and https URLs can be fetched.")
    if place.user is not None or place.password is not None:
        raise FetchError("A URL with credentials in it is not fetched.")
    return place


def _url(text: str) -> "URL":
    from yarl import URL  # noqa: PLC0415 - comes with aiohttp, see fetch

    try:
        return URL(text)
    except ValueError as error:
        raise FetchError("The URL is not valid.") from error


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address belongs to the public network, and not to a way into a private one."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return _is_public(address.ipv4_mapped)
        if address.sixtofour is not None or address.teredo is not None or address.is_site_local:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _is_own(address: IPv4Address | IPv6Address) -> bool:
    """Whether the address is this machine's: only then can a socket be bound to it."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    family = socket.AF_INET6 if isinstance(address, IPv6Address) else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError:
            return False
    return True


_DATA = re.compile(r"data:image/(?:png|jpeg|jpg|gif|webp)(?:;[^,;]*)*;base64,", re.IGNORECASE)
_SIGNATURES = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"RIFF.{4}WEBP", re.DOTALL), "image/webp"),
)


async def read_image(url: str, param: str, fetcher: Fetcher, limits: Limits = IMAGES) -> str:
    """The image as a `data:` URL, whether `url` is one or leads to one.

    Raises BadRequest, which names `param`, for what is no PNG, JPEG, GIF or WebP, and for what is
    larger than `limits.size`.
    """
    if url[:5].lower() == "data:":
        _check_data(url, param, limits)
        return url
    try:
        fetched = await fetcher.fetch(url, "image_url", limits)
    except FetchError as error:
        raise BadRequest(
            f"Error while downloading the image. {error.message}",
            param=param,
            code="invalid_image_url",
        ) from error
    media_type = _media_type(fetched.content, param)
    return f"data:{media_type};base64,{base64.b64encode(fetched.content).decode()}"


def _check_data(url: str, param: str, limits: Limits) -> None:
    """Raises BadRequest unless a `data:` URL holds an image within the limits."""
    head = _DATA.match(url)
    if head is None:
        raise BadRequest(
            "Invalid image: expected a data URL of a png, jpeg, gif or webp image in base64.",
            param=param,
            code="invalid_image_format",
        )
    if (len(url) - head.end()) * 3 // 4 > limits.size + 2:  # the padding stands for no byte
        raise BadRequest(
            f"Invalid image: it is larger than {limits.size} bytes.",
            param=param,
            code="image_too_large",
        )
    try:
        content = base64.b64decode(url[head.end() :], validate=True)
    except (binascii.Error, ValueError):
        raise BadRequest("Invalid base64 image_url.", param=param, code="invalid_base64") from None
    _media_type(content, param)


def _media_type(content: bytes, param: str) -> str:
    """What an image's first bytes say that it is."""
    for signature, media_type in _SIGNATURES:
        if signature.match(content):
            return media_type
    raise BadRequest(
        "You uploaded an unsupported image. Please make sure your image has of one the following "
        "formats: ['png', 'jpeg', 'gif', 'webp'].",
        param=param,
        code="invalid_image_format",
    )
