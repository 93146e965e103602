"""URLs given by clients: what is fetched, and what never is."""

import base64
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from yarl import URL

from inhouse.errors import BadRequest
from inhouse.fetch import IMAGES, Fetcher, FetchError, Limits, read_image

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 100


@dataclass
class Site:
    """A web server on loopback that the operator allows, as `site.test`."""

    port: int = 0
    routes: dict[str, Callable[[], web.StreamResponse]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://site.test:{self.port}"

    def fetcher(self, *places: str, own_ports: Sequence[int] = ()) -> Fetcher:
        """One that finds every `.test` host on loopback; `places` are allowed besides the site."""
        allowed = [f"site.test:{self.port}", *places]
        return Fetcher({"image_url": allowed}, own_ports=own_ports, resolve=on_loopback)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        self.headers.append(request.headers)
        return self.routes[request.path]()


async def on_loopback(host: str, port: int) -> Sequence[str]:
    del port
    if host.endswith(".test"):
        return ["127.0.0.1"]
    socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)  # else OSError
    return [host]


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    app = web.Application()
    app.router.add_get("/{name:.*}", site.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    listener = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, listener).start()
    site.port = listener.getsockname()[1]
    site.routes["/a.png"] = lambda: web.Response(body=PNG, content_type="image/png")
    yield site
    await runner.cleanup()


async def test_an_allowed_host_is_fetched_with_its_media_type(site: Site) -> None:
    fetched = await site.fetcher().fetch(f"{site.url}/a.png", "image_url")
    assert (fetched.content, fetched.media_type) == (PNG, "image/png")


async def test_an_allowance_is_for_one_purpose(site: Site) -> None:
    with pytest.raises(FetchError, match="not one that may be fetched"):
        await site.fetcher().fetch(f"{site.url}/a.png", "file_url")
    assert site.asked == []


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",  # noqa: S104 - an address to refuse
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%1",
        "fc00::1",
        "fec0::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a00:1",
        "2002:7f00:1::",
        "2001:0:7f00:1::",
    ],
)
async def test_addresses_that_are_not_public_are_refused(address: str) -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        del host, port
        return ["93.184.215.14", address]  # one bad address is enough

    with pytest.raises(FetchError, match="not one that may be fetched"):
        await Fetcher(resolve=resolve).fetch("http://innocent.example/a.png", "image_url")


async def test_public_addresses_are_what_is_connected_to() -> None:
    public = ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"]

    async def resolve(host: str, port: int) -> Sequence[str]:
        del host, port
        return public

    fetcher = Fetcher(resolve=resolve)
    assert await fetcher._addresses(URL("http://example.com/a.png"), "image_url") == public


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "0x7f000001", "2130706433", "[::1]", "0"])
async def test_loopback_is_refused_however_it_is_written(host: str) -> None:
    with pytest.raises(FetchError, match=r"not one that may be|was not found|not valid"):
        await Fetcher().fetch(f"http://{host}:1/a.png", "image_url")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://site.test/a.png",
        "file:///etc/passwd",
        "gopher://site.test/",
        "http://user:secret@site.test/a.png",
        "http://user@site.test/a.png",
        "http:///a.png",
        "//site.test/a.png",
        "http://site.test:99999/a.png",
        "http://site.test/a b",
        "http://site.test/a\nb",
        "http://[::1/a",
        "",
        "http://site.test/" + "a" * 9000,
    ],
)
async def test_other_schemes_credentials_and_broken_urls_are_refused(url: str, site: Site) -> None:
    with pytest.raises(FetchError):
        await site.fetcher("site.test:80", "site.test:443").fetch(url, "image_url")
    assert site.asked == []


async def test_a_redirect_to_loopback_is_refused(site: Site) -> None:
    for name, target in {
        "/literal": f"http://127.0.0.1:{site.port}/a.png",
        "/mapped": f"http://[::ffff:127.0.0.1]:{site.port}/a.png",
        "/name": f"http://other.test:{site.port}/a.png",
        "/scheme": "file:///etc/passwd",
        "/credentials": f"http://a:b@site.test:{site.port}/a.png",
    }.items():
        site.routes[name] = lambda target=target: web.Response(
            status=302, headers={"Location": target}
        )
        with pytest.raises(FetchError):
            await site.fetcher().fetch(site.url + name, "image_url")
    assert "/a.png" not in site.asked


async def test_redirects_are_followed_to_allowed_places_and_bounded(site: Site) -> None:
    site.routes["/once"] = lambda: web.Response(status=307, headers={"Location": "a.png"})
    site.routes["/loop"] = lambda: web.Response(status=302, headers={"Location": "/loop"})
    fetched = await site.fetcher().fetch(f"{site.url}/once", "image_url")
    assert fetched.content == PNG
    with pytest.raises(FetchError, match="redirects more than 5 times"):
        await site.fetcher().fetch(f"{site.url}/loop", "image_url")
    assert site.asked.count("/loop") == 6


async def test_a_name_that_changes_its_address_is_reached_where_it_was_checked(site: Site) -> None:
    answers = [["127.0.0.1"], ["127.0.0.2"]]
    asked: list[str] = []

    async def rebinding(host: str, port: int) -> Sequence[str]:
        del port
        asked.append(host)
        return answers[len(asked) - 1]

    place = f"rebind.test:{site.port}"
    fetcher = Fetcher({"image_url": [place]}, resolve=rebinding)
    fetched = await fetcher.fetch(f"http://{place}/a.png", "image_url")
    assert fetched.content == PNG
    assert asked == ["rebind.test"]  # one look-up: what was checked is what was connected to


async def test_a_name_that_turns_private_between_redirects_is_refused(site: Site) -> None:
    site.routes["/again"] = lambda: web.Response(
        status=302, headers={"Location": f"http://turning.test:{site.port}/a.png"}
    )
    with pytest.raises(FetchError, match="not one that may be fetched"):
        await site.fetcher().fetch(f"{site.url}/again", "image_url")


async def test_our_own_ports_are_never_reached(site: Site) -> None:
    fetcher = site.fetcher(own_ports=[site.port])
    with pytest.raises(FetchError, match="not one that may be fetched"):
        await fetcher.fetch(f"{site.url}/a.png", "image_url")
    assert site.asked == []


async def test_the_size_is_bounded_with_and_without_a_content_length(site: Site) -> None:
    small = Limits(size=50, media_types=IMAGES.media_types)
    site.routes["/declared"] = lambda: web.Response(body=PNG, content_type="image/png")

    def chunked() -> web.Response:
        response = web.Response(body=PNG, content_type="image/png")
        response.enable_chunked_encoding()
        return response

    site.routes["/chunked"] = chunked
    for name in ("/declared", "/chunked"):
        with pytest.raises(FetchError, match="larger than 50 bytes"):
            await site.fetcher().fetch(site.url + name, "image_url", small)


async def test_other_media_types_statuses_and_compressed_bodies_are_refused(site: Site) -> None:
    site.routes["/page"] = lambda: web.Response(text="<html>", content_type="text/html")
    site.routes["/gone"] = lambda: web.Response(status=404)
    site.routes["/packed"] = lambda: web.Response(
        body=PNG, content_type="image/png", headers={"Content-Encoding": "gzip"}
    )
    for name, said in {"/page": "text/html", "/gone": "404", "/packed": "compressed"}.items():
        with pytest.raises(FetchError, match=said):
            await site.fetcher().fetch(site.url + name, "image_url")


async def test_a_silent_server_is_given_up() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    place = f"slow.test:{listener.getsockname()[1]}"
    limits = Limits(seconds=0.2, media_types=IMAGES.media_types)
    fetcher = Fetcher({"image_url": [place]}, resolve=on_loopback)
    with listener, pytest.raises(FetchError, match=r"longer than 0\.2 s"):
        await fetcher.fetch(f"http://{place}/a.png", "image_url", limits)


async def test_proxies_of_the_environment_are_not_used(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert (await site.fetcher().fetch(f"{site.url}/a.png", "image_url")).content == PNG
    assert "Cookie" not in site.headers[0]


async def test_an_image_becomes_a_data_url_of_what_its_bytes_say(site: Site) -> None:
    site.routes["/wrong"] = lambda: web.Response(body=PNG, content_type="image/jpeg")
    found = await read_image(f"{site.url}/wrong", "messages[0]", site.fetcher())
    assert found == "data:image/png;base64," + base64.b64encode(PNG).decode()


@pytest.mark.parametrize(
    "content", [PNG, b"\xff\xd8\xff\xe0", b"GIF89a..", b"RIFF\x01\x02\x03\x04WEBPVP8 "]
)
async def test_data_urls_of_images_stay_as_they_are(content: bytes) -> None:
    url = "data:image/png;base64," + base64.b64encode(content).decode()
    assert await read_image(url, "p", Fetcher()) == url


async def test_a_data_url_is_as_bounded_as_a_download() -> None:
    limits = Limits(size=len(PNG), media_types=IMAGES.media_types)
    url = "data:image/png;base64," + base64.b64encode(PNG).decode()
    assert await read_image(url, "p", Fetcher(), limits) == url
    longer = "data:image/png;base64," + base64.b64encode(PNG + b"\0" * 4).decode()
    with pytest.raises(BadRequest) as refused:
        await read_image(longer, "p", Fetcher(), limits)
    assert (refused.value.code, refused.value.param) == ("image_too_large", "p")


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("data:image/png;base64,!!!!", "invalid_base64"),
        ("data:image/png;base64,AAA", "invalid_base64"),
        (
            "data:image/png;base64," + base64.b64encode(b"RIFFxxxxWAVE").decode(),
            "invalid_image_format",
        ),
        ("data:image/png;base64,", "invalid_image_format"),
        ("data:text/html;base64,AAAA", "invalid_image_format"),
        ("data:image/svg+xml;base64,AAAA", "invalid_image_format"),
        ("data:image/png,AAAA", "invalid_image_format"),
        ("http://127.0.0.1:1/a.png", "invalid_image_url"),
        ("nonsense", "invalid_image_url"),
    ],
)
async def test_what_is_no_image_is_refused_by_its_field(url: str, code: str) -> None:
    with pytest.raises(BadRequest) as refused:
        await read_image(url, "messages[1].content[0].image_url.url", Fetcher())
    assert (refused.value.code, refused.value.param) == (
        code,
        "messages[1].content[0].image_url.url",
    )
