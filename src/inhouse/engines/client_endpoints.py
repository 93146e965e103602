"""The servers of one upstream: which of them is well, and a call to the first that answers.

Tries again only while nothing of an answer has come. Knows nothing of models' answers.
"""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from inhouse.engines.client_errors import upstream_error
from inhouse.engines.text import Json
from inhouse.engines.wire import ConnectFailed, Limits, Origin, Response, TimedOut, Wire, WireError
from inhouse.errors import APIError, RateLimited, ServerError, Unavailable

_LOG = logging.getLogger(__name__)
_RETRIED = frozenset({500, 502, 503, 504})
_FIRST_BACK_OFF = 0.1
_LONGEST_BACK_OFF = 2.0
_MOST_ERROR_BYTES = 1024 * 1024


@dataclass(slots=True)
class Endpoint:
    """One base URL. `healthy` is what the last call or probe found."""

    origin: Origin
    healthy: bool = True


@dataclass(slots=True)
class Reply:
    """A 200 whose first bytes have come: `first` is the first batch of the body, the rest is in
    `response`."""

    response: Response
    first: bytes
    legacy: bool = field(default=False)


class Endpoints:
    """A fail-over list. `probe_seconds` 0 means no background probing.

    `retries` is how often a call is tried again, on the same endpoint or the next, before its
    answer began.
    """

    def __init__(
        self,
        base_urls: Sequence[str],
        *,
        api_key: str | None = None,
        limits: Limits | None = None,
        retries: int = 2,
        probe_seconds: float = 10.0,
        wire: Wire | None = None,
    ) -> None:
        if not base_urls:
            raise ValueError("an upstream needs a base_url")
        self.base_url = base_urls[0]
        self.endpoints = [Endpoint(Origin.parse(url)) for url in base_urls]
        self._limits = limits or Limits()
        self._retries = retries
        self._probe_seconds = probe_seconds
        self._wire = wire or Wire()
        self._probing: asyncio.Task[None] | None = None
        self._key: tuple[tuple[str, str], ...] = ()
        if api_key:
            self.use_key(api_key)

    def use_key(self, api_key: str) -> None:
        """The key to send from now on."""
        self._key = (("authorization", f"Bearer {api_key}"),)

    @property
    def healthy(self) -> bool:
        """Whether any endpoint is thought to be well."""
        return any(endpoint.healthy for endpoint in self.endpoints)

    def start(self) -> None:
        """Begin to probe in the background."""
        if self._probe_seconds and self._probing is None:
            self._probing = asyncio.create_task(self._probe_forever())

    async def close(self) -> None:
        """Stop probing and close what is unused."""
        if self._probing:
            self._probing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._probing
            self._probing = None
        self._wire.close()

    async def post(
        self,
        path: str,
        body: bytes,
        *,
        root: bool = False,
        legacy: bool = False,
        retries: int | None = None,
    ) -> Reply:
        """POST to `{base}{path}` (`root`: to the server's root instead) and wait for the first
        bytes of a 200. `retries` in place of those of all calls.

        Raises `APIError`: what the upstream refused, or `Unavailable` when no endpoint answers.
        """
        failure: APIError | None = None
        order = self._order()
        for attempt in range((self._retries if retries is None else retries) + 1):
            round_, at = divmod(attempt, len(order))
            endpoint = order[at]
            if round_:
                await asyncio.sleep(min(_FIRST_BACK_OFF * 2 ** (round_ - 1), _LONGEST_BACK_OFF))
            try:
                return await self._attempt(endpoint, path, body, root=root, legacy=legacy)
            except _Again as again:
                failure = again.failure
                if again.sick:
                    endpoint.healthy = False
                if again.last or (isinstance(failure, RateLimited) and len(self.endpoints) == 1):
                    break
        raise failure or Unavailable("No endpoint of the model's server is well.")

    async def ask(self, path: str, body: Json) -> Json:
        """POST to the server's root (`/tokenize`), and the whole answer. Raises `APIError`."""
        reply = await self.post(path, msgspec.json.encode(body), root=True)
        try:
            return msgspec.json.decode(reply.first + await reply.response.read(), type=dict)
        except (WireError, msgspec.DecodeError) as error:
            raise Unavailable("The model's server broke off its answer.") from error
        finally:
            reply.response.close()

    async def get(self, path: str, *, root: bool = False) -> Json:
        """GET `{base}{path}` (`root`: at the server's root) from the first endpoint that answers
        200.

        Returns the JSON of the answer. Raises `Unavailable`.
        """
        for endpoint in self._order():
            answer = await self._get(endpoint, path, root=root)
            if answer and answer[0] == 200:
                with contextlib.suppress(msgspec.DecodeError):
                    return msgspec.json.decode(answer[1], type=dict)
        raise Unavailable("No endpoint of the model's server answers.")

    async def probe(self) -> None:
        """Ask every endpoint once and mark it."""
        for endpoint in self.endpoints:
            answer = await self._get(endpoint, "/models")
            healthy = answer is not None and answer[0] < 500
            if healthy != endpoint.healthy:
                _LOG.warning(
                    "%s is %s", endpoint.origin.name, "well again" if healthy else "unwell"
                )
            endpoint.healthy = healthy

    def _order(self) -> Sequence[Endpoint]:
        """The endpoints, those that are well first."""
        if len(self.endpoints) == 1:
            return self.endpoints
        return sorted(self.endpoints, key=lambda each: not each.healthy)

    async def _attempt(
        self, endpoint: Endpoint, path: str, body: bytes, *, root: bool, legacy: bool
    ) -> Reply:
        """One try. Raises `_Again` where another may help, else the error itself."""
        origin = endpoint.origin
        try:
            response = await self._wire.request(
                origin,
                "POST",
                path if root else origin.prefix + path,
                headers=(("content-type", "application/json"), *self._key),
                body=body,
                limits=self._limits,
            )
            try:
                first = await response.take() if response.status == 200 else b""
            except BaseException:
                response.close()
                raise
        except WireError as error:
            raise self._broken(endpoint, error) from error
        if response.status == 200:
            endpoint.healthy = True
            return Reply(response, first, legacy)
        raise await self._refused(response, legacy=legacy)

    def _broken(self, endpoint: Endpoint, error: WireError) -> Exception:
        _LOG.warning("%s: %s", endpoint.origin.name, error)
        if isinstance(error, TimedOut):
            message = "The model's server did not answer in time."
            return _Again(Unavailable(message, headers={"Retry-After": "5"}), sick=True, last=True)
        failure = Unavailable("The model's server cannot be reached.", headers={"Retry-After": "5"})
        return _Again(failure, sick=isinstance(error, ConnectFailed))

    async def _refused(self, response: Response, *, legacy: bool) -> Exception:
        try:
            body = await response.read(_MOST_ERROR_BYTES)
        except WireError:
            body = b""
        finally:
            response.close()
        failure = upstream_error(response.status, body, response.headers, legacy=legacy)
        if response.status in _RETRIED:
            if not isinstance(failure, ServerError):
                return _Again(failure, sick=response.status != 500)
            return _Again(failure)
        return _Again(failure) if isinstance(failure, RateLimited) else failure

    async def _get(
        self, endpoint: Endpoint, path: str, *, root: bool = False
    ) -> tuple[int, bytes] | None:
        limits = Limits(self._limits.connect, 10.0, 10.0)
        try:
            response = await self._wire.request(
                endpoint.origin,
                "GET",
                path if root else endpoint.origin.prefix + path,
                headers=self._key,
                limits=limits,
            )
            try:
                return response.status, await response.read()
            finally:
                response.close()
        except WireError as error:
            _LOG.debug("%s: %s", endpoint.origin.name, error)
            return None

    async def _probe_forever(self) -> None:
        while True:
            await self.probe()
            await asyncio.sleep(self._probe_seconds)


class _Again(Exception):
    """`failure` unless another try helps; `sick`: the endpoint is not to be asked first; `last`: no
    other try."""

    def __init__(self, failure: APIError, *, sick: bool = False, last: bool = False) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.sick = sick
        self.last = last
