"""Limits on requests and tokens per minute: token buckets in memory, one pair per project and
model.

A request reserves before it runs and settles when its true number of tokens is known. A bucket
holds at most a minute's worth and fills evenly.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from inhouse import errors
from inhouse.clock import Clock
from inhouse.scope import Principal

_MANY = 10_000


@dataclass(frozen=True, slots=True)
class Limits:
    """Per minute, of one project and model."""

    requests: int
    tokens: int


LimitsOf = Callable[[Principal, str], Limits]
"""The limits of a principal's project for a model."""


def always(limits: Limits) -> LimitsOf:
    """The same limits for every project and model."""

    def limits_of(principal: Principal, model: str) -> Limits:
        return limits

    return limits_of


class Bucket:
    """What is left of a limit per minute. Debts are possible: more may be settled than was
    reserved.
    """

    __slots__ = ("_at", "_left", "limit")

    def __init__(self, limit: int, now: float) -> None:
        self.limit = limit
        self._left = float(limit)
        self._at = now

    def left(self, now: float) -> float:
        """What is left at `now` (monotonic seconds); negative if in debt."""
        if now > self._at:
            self._left = min(self.limit, self._left + (now - self._at) * self.limit / 60)
            self._at = now
        return self._left

    def take(self, amount: float) -> None:
        """Take `amount`, or give it back if negative. Call `left` before."""
        self._left = min(self.limit, self._left - amount)

    def seconds_until(self, amount: float) -> float:
        """How long until `amount` is left, as of the last `left`."""
        return max(0.0, (amount - self._left) * 60 / self.limit)


class Reservation:
    """A request's part of the limits. `headers` say what is left, as of the time of reserving."""

    __slots__ = ("_clock", "_reserved", "_tokens", "headers")

    def __init__(
        self, clock: Clock, tokens: Bucket, reserved: int, headers: list[tuple[str, str]]
    ) -> None:
        self._clock = clock
        self._tokens = tokens
        self._reserved: int | None = reserved
        self.headers = headers

    def settle(self, tokens: int) -> None:
        """Take what was really used instead of what was reserved. Only the first call counts."""
        if self._reserved is not None:
            self._tokens.left(self._clock.monotonic())
            self._tokens.take(tokens - self._reserved)
            self._reserved = None


class Limiter:
    """The buckets of all projects and models."""

    def __init__(self, clock: Clock, limits_of: LimitsOf) -> None:
        self._clock = clock
        self._limits_of = limits_of
        self._buckets: dict[tuple[str, str | None, str], tuple[Bucket, Bucket]] = {}

    def reserve(self, principal: Principal, model: str, tokens: int) -> Reservation:
        """Take one request and `tokens` tokens, or raise RateLimited and take nothing."""
        now = self._clock.monotonic()
        requests, spent = self._pair(principal, model, now)
        if tokens > spent.limit:
            raise _too_large(principal, model, spent, tokens, _headers(requests, spent))
        if requests.left(now) < 1:
            raise _reached(principal, model, "requests", requests, 1, _headers(requests, spent))
        if spent.left(now) < tokens:
            raise _reached(principal, model, "tokens", spent, tokens, _headers(requests, spent))
        requests.take(1)
        spent.take(tokens)
        return Reservation(self._clock, spent, tokens, _headers(requests, spent))

    def _pair(self, principal: Principal, model: str, now: float) -> tuple[Bucket, Bucket]:
        key = (principal.organization, principal.project, model)
        pair = self._buckets.get(key)
        limits = self._limits_of(principal, model)
        if pair is None or (pair[0].limit, pair[1].limit) != (limits.requests, limits.tokens):
            if len(self._buckets) >= _MANY:
                self._forget_full(now)
            pair = Bucket(limits.requests, now), Bucket(limits.tokens, now)
            self._buckets[key] = pair
        return pair

    def _forget_full(self, now: float) -> None:
        """A full bucket is as good as a new one."""
        for key, pair in list(self._buckets.items()):
            if all(bucket.left(now) == bucket.limit for bucket in pair):
                del self._buckets[key]


def duration(seconds: float) -> str:
    """As OpenAI writes one: `120ms`, `8.64s`, `6m0s`, `1h0m30s`. Rounded up to whole
    milliseconds.
    """
    milliseconds = math.ceil(round(seconds * 1000, 6))
    if milliseconds < 1000:
        return f"{milliseconds}ms" if milliseconds else "0s"
    minutes, rest = divmod(milliseconds, 60_000)
    text = f"{rest // 1000}.{rest % 1000:03d}".rstrip("0").rstrip(".") + "s"
    if minutes:
        text = f"{minutes % 60}m{text}"
    if minutes >= 60:
        text = f"{minutes // 60}h{text}"
    return text


def _headers(requests: Bucket, tokens: Bucket) -> list[tuple[str, str]]:
    return [
        ("x-ratelimit-limit-requests", str(requests.limit)),
        ("x-ratelimit-limit-tokens", str(tokens.limit)),
        ("x-ratelimit-remaining-requests", str(_whole(requests))),
        ("x-ratelimit-remaining-tokens", str(_whole(tokens))),
        ("x-ratelimit-reset-requests", duration(requests.seconds_until(requests.limit))),
        ("x-ratelimit-reset-tokens", duration(tokens.seconds_until(tokens.limit))),
    ]


def _whole(bucket: Bucket) -> int:
    return max(0, int(bucket.limit - bucket.seconds_until(bucket.limit) * bucket.limit / 60))


_UNITS = {"requests": "requests per min (RPM)", "tokens": "tokens per min (TPM)"}


def _reached(
    principal: Principal,
    model: str,
    kind: str,
    bucket: Bucket,
    amount: int,
    headers: list[tuple[str, str]],
) -> errors.RateLimited:
    wait = bucket.seconds_until(amount)
    milliseconds = max(1, math.ceil(round(wait * 1000, 6)))
    used = bucket.limit - _whole(bucket)
    return errors.RateLimited(
        f"Rate limit reached for {model} in organization {principal.organization} on"
        f" {_UNITS[kind]}: Limit {bucket.limit}, Used {used}, Requested {amount}."
        f" Please try again in {duration(milliseconds / 1000)}.",
        type=kind,
        headers={
            **dict(headers),
            "retry-after": str(math.ceil(milliseconds / 1000)),
            "retry-after-ms": str(milliseconds),
        },
    )


def _too_large(
    principal: Principal, model: str, bucket: Bucket, amount: int, headers: list[tuple[str, str]]
) -> errors.RateLimited:
    return errors.RateLimited(
        f"Request too large for {model} in organization {principal.organization} on"
        f" {_UNITS['tokens']}: Limit {bucket.limit}, Requested {amount}. The input or output"
        " tokens must be reduced in order"
        " to run successfully.",
        type="tokens",
        headers={**dict(headers), "x-should-retry": "false"},
    )
