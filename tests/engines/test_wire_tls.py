"""The HTTP client over TLS."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.engines.raw import Raw, fetch

from inhouse.engines.wire import (
    ConnectFailed,
    Origin,
    Wire,
)

CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBnDCCAUGgAwIBAgIUEtEIA+KeueX+2GnPYJm4NkVsEP0wCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyNDExNTIxNloYDzIxMjYxMDMx
MTE1MjE2WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAASYS6fv7fYk+GcSgcjkbIlNJudx+DAUMIKomqT45XDwHYCGyHRBRkOg
LJbj/CJBC6CkISNGVod3Im4sOtQ+oTnHo28wbTAdBgNVHQ4EFgQUpT2ZAsH9i6if
i/wMHcF+y8Sokn0wHwYDVR0jBBgwFoAUpT2ZAsH9i6ifi/wMHcF+y8Sokn0wDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDSQAwRgIhAKe/3dvfPXVsFqkP51InDjqvYArhRztnCbXEPhF3qBlCAiEA
5gXNzksNAmwZXvhHnbjEiRGcvTvv61yqutW4Eiq6Suc=
-----END CERTIFICATE-----
"""
"""Of `localhost`, self-signed, made for this test, valid for a hundred years."""
PRIVATE_KEY = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgFPBtYptb/+3xMBZv
gLq9OOMKwwNL2pnzr6bdeeQZIBChRANCAASYS6fv7fYk+GcSgcjkbIlNJudx+DAU
MIKomqT45XDwHYCGyHRBRkOgLJbj/CJBC6CkISNGVod3Im4sOtQ+oTnH
-----END PRIVATE KEY-----
"""


@pytest.fixture
async def secure(raw: Raw, tmp_path: Path) -> AsyncIterator[tuple[int, Path]]:
    """The port of a server with TLS, and the certificate that it shows."""
    path = tmp_path / "localhost.pem"
    path.write_text(CERTIFICATE + PRIVATE_KEY)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path)
    server = await asyncio.start_server(raw.serve, "127.0.0.1", 0, ssl=context)
    yield server.sockets[0].getsockname()[1], path
    server.close()
    for writer in raw.writers:
        writer.close()
    await asyncio.sleep(0.01)


async def test_tls_is_spoken_with_a_server_that_is_trusted(secure: tuple[int, Path]) -> None:
    port, certificate = secure
    wire = Wire(tls=ssl.create_default_context(cafile=certificate))
    for _ in range(2):
        assert await fetch(wire, Origin("localhost", port, tls=True)) == b"ok"
    wire.close()
    await asyncio.sleep(0.01)


async def test_a_server_that_is_not_trusted_is_not_spoken_to(
    raw: Raw, wire: Wire, secure: tuple[int, Path]
) -> None:
    with pytest.raises(ConnectFailed):
        await fetch(wire, Origin("localhost", secure[0], tls=True))
    assert raw.requests == []
