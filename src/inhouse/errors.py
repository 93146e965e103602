"""The one error type that a client can see, and its kinds.

APIError
├── BadRequest            400 invalid_request_error
├── Unauthorized          401 invalid_request_error, code invalid_api_key
├── PermissionDenied      403 invalid_request_error
├── NotFound              404 invalid_request_error
├── MethodNotAllowed      405 invalid_request_error
├── Conflict              409 invalid_request_error
├── PayloadTooLarge       413 invalid_request_error
├── RateLimited           429 requests | tokens, code rate_limit_exceeded
├── ServerError           500 server_error
├── NotImplementedYet     501 server_error, code not_implemented
└── Unavailable           503 server_error, may carry Retry-After

Whatever raises one of these is answered with the envelope that `APIError.envelope` returns.
Anything else that escapes a handler is a defect: it is logged with its request id and answered as a
500.
"""

from collections.abc import Mapping

ErrorBody = dict[str, dict[str, str | None]]


class APIError(Exception):
    """An error in OpenAI's envelope.

    `param` names the field at fault as OpenAI writes it (`messages[0].role`), `code` is the
    machine-readable reason, `headers` are added to the answer (Retry-After and the like).
    """

    status = 500
    type = "server_error"
    code: str | None = None

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        type: str | None = None,  # noqa: A002 - the field's name in the envelope
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code if code is not None else self.code
        self.type = type if type is not None else self.type
        self.headers = dict(headers or {})

    def envelope(self) -> ErrorBody:
        """The body of the answer: `{"error": {"message", "type", "param", "code"}}`."""
        return {
            "error": {
                "message": self.message,
                "type": self.type,
                "param": self.param,
                "code": self.code,
            }
        }


class BadRequest(APIError):
    """The request cannot be honoured as it stands."""

    status = 400
    type = "invalid_request_error"


class Unauthorized(APIError):
    """No key, or one that is not known here."""

    status = 401
    type = "invalid_request_error"
    code = "invalid_api_key"


class PermissionDenied(APIError):
    """The key is known and may not do this."""

    status = 403
    type = "invalid_request_error"


class NotFound(APIError):
    """No such thing, or none that this key may see."""

    status = 404
    type = "invalid_request_error"


class MethodNotAllowed(APIError):
    """The route exists with other methods."""

    status = 405
    type = "invalid_request_error"


class Conflict(APIError):
    """The object was changed meanwhile, or is in a state that forbids this."""

    status = 409
    type = "invalid_request_error"


class PayloadTooLarge(APIError):
    """The body is over the route's limit."""

    status = 413
    type = "invalid_request_error"


class RateLimited(APIError):
    """A limit is used up; `type` says which: `requests` or `tokens`."""

    status = 429
    type = "requests"
    code = "rate_limit_exceeded"


class ServerError(APIError):
    """Something broke on this side."""

    status = 500


class NotImplementedYet(APIError):
    """A published operation that has no handler here yet."""

    status = 501
    code = "not_implemented"


class Unavailable(APIError):
    """The thing exists and cannot serve now; try again."""

    status = 503
