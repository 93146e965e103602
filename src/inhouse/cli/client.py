"""A small blocking client of a server that speaks the API, for commands."""

import http.client
import json
import socket
import ssl
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from inhouse.cli.failures import Failure

Json = dict[str, Any]


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


@dataclass(frozen=True, slots=True)
class Client:
    """`base_url` includes /v1 and may be http, https or unix.

    `timeout` is the longest silence, in seconds.
    """

    base_url: str
    key: str | None = field(default=None, repr=False)
    timeout: float = 10.0
    certificate: str | None = None
    """A PEM file to trust besides the system's."""

    def get(self, path: str) -> Json:
        """The JSON answer to a GET of `path`. Raises Failure if there is none, or an error."""
        with self._request("GET", path, None) as response:
            return json.loads(response.read())

    def stream(self, path: str, body: Json) -> Generator[Json]:
        """The events of a POST. Closing the generator closes the connection. Raises Failure."""
        with self._request("POST", path, body) as response:
            for line in response:
                if line.startswith(b"data: ") and line != b"data: [DONE]\n":
                    event = json.loads(line[6:])
                    if "error" in event:
                        raise Failure(event["error"]["message"])
                    yield event

    @contextmanager
    def _request(
        self, method: str, path: str, body: Json | None
    ) -> Generator[http.client.HTTPResponse]:
        connection, prefix = self._connection()
        headers = {"Accept": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        if body is not None:
            headers["Content-Type"] = "application/json"
        payload = None if body is None else json.dumps(body)
        try:
            connection.request(method, prefix + path, payload, headers)
            response = connection.getresponse()
            if response.status >= 400:
                raise Failure(_message(response))
            yield response
        except (OSError, http.client.HTTPException, json.JSONDecodeError) as error:
            raise Failure(f"{self.base_url}: {str(error) or type(error).__name__}") from None
        finally:
            connection.close()

    def _connection(self) -> tuple[http.client.HTTPConnection, str]:
        parts = urlsplit(self.base_url)
        if parts.scheme == "unix":
            return _UnixConnection(parts.path, self.timeout), "/v1"
        host = parts.hostname or ""
        if parts.scheme == "https":
            context = ssl.create_default_context()
            if self.certificate:
                context.load_verify_locations(self.certificate)
            secure = http.client.HTTPSConnection(
                host, parts.port, timeout=self.timeout, context=context
            )
            return secure, parts.path
        return http.client.HTTPConnection(host, parts.port, timeout=self.timeout), parts.path


def _message(response: http.client.HTTPResponse) -> str:
    """What an error answer says, in one line."""
    text = response.read(65536).decode(errors="replace")
    try:
        return f"{json.loads(text)['error']['message']} ({response.status})"
    except (ValueError, KeyError, TypeError):
        return f"HTTP {response.status} {response.reason}: {text[:200].strip()}"
