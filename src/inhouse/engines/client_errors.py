"""What an upstream's refusal means to our client.

Its messages are passed on only where they speak of the request (400, 404, 413, 422); what they say
of its keys, hosts and limits stays in the log.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from inhouse.errors import (
    APIError,
    BadRequest,
    PayloadTooLarge,
    RateLimited,
    ServerError,
    Unavailable,
)

_OVERFLOW = re.compile(
    r"context (length|size|window)|context_length|exceed_context_size|maximum sequence length",
    re.IGNORECASE,
)
_LIMIT = re.compile(
    r"(?:context (?:length|size|window)(?: \((?:n_ctx )?| (?:is|of)(?: only)? )"
    r"|n_ctx\D{0,4}|than )(\d+)",
    re.IGNORECASE,
)
_NUMBERS = re.compile(r"\d+")


def upstream_error(
    status: int, body: bytes, headers: Mapping[str, str], *, legacy: bool = False
) -> APIError:
    """The error to raise for an answer with `status`; `legacy` names the prompt instead of the
    messages."""
    error = _error_of(body)
    return error_of(status, error, headers, legacy=legacy)


def error_of(
    status: int, error: Mapping[str, Any], headers: Mapping[str, str], *, legacy: bool = False
) -> APIError:
    """Likewise for an error that came as an event of a stream; its own `code` tells the status if
    there is none."""
    message = str(error.get("message") or "The model's server refused the request.")
    code = error.get("code")
    if not status:
        status = code if isinstance(code, int) and 400 <= code < 600 else 500
    if status in {400, 404, 413, 415, 422}:
        return _of_the_request(status, error, message, legacy)
    if status == 429:
        wait = {
            name: headers[name] for name in ("retry-after", "retry-after-ms") if name in headers
        }
        return RateLimited(
            "The model's server is at its limit. Please try again later.", headers=wait
        )
    if status in {401, 403, 407}:
        return ServerError("The model's server did not accept this server's credentials.")
    if status in {500, 501}:
        return ServerError("The model's server failed.")
    return Unavailable("The model's server cannot answer now.", headers={"Retry-After": "5"})


def _of_the_request(
    status: int,
    error: Mapping[str, Any],
    message: str,
    legacy: bool,  # noqa: FBT001
) -> APIError:
    if overflow := _overflow(error, message, legacy):
        return overflow
    if status == 413:
        return PayloadTooLarge(message)
    param, code = error.get("param"), error.get("code")
    return BadRequest(
        message,
        param=param if isinstance(param, str) else None,
        code=code if isinstance(code, str) else None,
    )


def context_overflow(limit: int, tokens: int, *, legacy: bool = False) -> BadRequest:
    """OpenAI's answer to a request that is longer than the model's context."""
    what = "prompt" if legacy else "messages"
    return BadRequest(
        f"This model's maximum context length is {limit} tokens. However, your {what} resulted in "
        f"{tokens} tokens. Please reduce the length of the {what}.",
        param=what,
        code="context_length_exceeded",
    )


def _overflow(error: Mapping[str, Any], message: str, legacy: bool) -> BadRequest | None:  # noqa: FBT001
    told = (str(error.get("code")), str(error.get("type")), message)
    if not any(_OVERFLOW.search(each) for each in told):
        return None
    limit, tokens = error.get("n_ctx"), error.get("n_prompt_tokens")
    if isinstance(limit, int) and isinstance(tokens, int):
        return context_overflow(limit, tokens, legacy=legacy)
    found = _LIMIT.search(message)
    numbers = [int(each) for each in _NUMBERS.findall(message)]
    if found and (larger := [each for each in numbers if each > int(found[1])]):
        return context_overflow(int(found[1]), larger[0], legacy=legacy)
    what = "prompt" if legacy else "messages"
    return BadRequest(message, param=what, code="context_length_exceeded")


def _error_of(body: bytes) -> Mapping[str, Any]:
    """The error object in any of the forms that servers use; empty if there is none."""
    try:
        value = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return {}
    return error_object(value)


def error_object(value: object) -> Mapping[str, Any]:
    """`{"error": {...}}`, `{"error": "..."}`, `{"object": "error", ...}`, `{"detail": ...}` or the
    error itself."""
    if isinstance(value, str):
        return {"message": value}
    if not isinstance(value, dict):
        return {}
    inner = value.get("error", value.get("detail", value))
    if isinstance(inner, dict):
        return inner
    if isinstance(inner, list):  # FastAPI's list of what is wrong
        parts = [str(each.get("msg", each)) for each in inner if isinstance(each, dict)]
        return {"message": "; ".join(parts)}
    return {"message": str(inner)}
