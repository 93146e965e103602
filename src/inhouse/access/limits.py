"""Limits on requests and tokens per minute: token buckets in memory, one pair per project and
model.

A request reserves before it runs and settles when its true number of tokens is known. A bucket
holds at most a minute's worth and fills evenly.
"""

from collections.abc import Callable
from dataclasses import dataclass

from inhouse import errors
from inhouse.clock import Clock
from inhouse.scope import Principal

_MANY = 10_000
"""Pairs of buckets kept before full ones are forgotten."""

_MINUTE = 60_000_000  # microseconds


@dataclass(frozen=True, slots=True)
class Limits:
    """Per minute, of one project and model."""

    requests: int
    tokens: int

    def __post_init__(self) -> None:
        if self.requests < 1 or self.tokens < 1:
            raise ValueError("limits per minute must be at least 1")


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

    Counts in whole numbers, of a microsecond's worth of the limit, so that nothing is lost by
    rounding. Times are monotonic microseconds.
    """

    __slots__ = ("_at", "_full", "_level", "limit")

    def __init__(self, limit: int, now: int) -> None:
        self.limit = limit
        self._full = self._level = limit * _MINUTE
        self._at = now

    def fill(self, now: int) -> None:
        """Let the time since the last call flow in. Called before anything else is asked or
        done.
        """
        if now > self._at:
            level = self._level + (now - self._at) * self.limit
            self._level = level if level < self._full else self._full
            self._at = now

    def has(self, amount: int) -> bool:
        """Whether `amount` is left."""
        return self._level >= amount * _MINUTE

    def take(self, amount: int) -> None:
        """Take `amount`, or give it back if negative."""
        level = self._level - amount * _MINUTE
        self._level = level if level < self._full else self._full

    def left(self) -> int:
        """What is left; 0 if in debt."""
        return self._level // _MINUTE if self._level > 0 else 0

    def milliseconds_until(self, amount: int) -> int:
        """How long until `amount` is left, rounded up."""
        return max(0, -((self._level - amount * _MINUTE) // (self.limit * 1000)))

    def milliseconds_until_full(self) -> int:
        """How long until all of the limit is left, rounded up."""
        return -((self._level - self._full) // (self.limit * 1000))


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
            self._tokens.fill(_microseconds(self._clock))
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
        now = _microseconds(self._clock)
        requests, spent = self._pair(principal, model, now)
        requests.fill(now)
        spent.fill(now)
        if tokens > spent.limit:
            raise _too_large(principal, model, spent, tokens, _headers(requests, spent))
        if not requests.has(1):
            raise _reached(principal, model, "requests", requests, 1, _headers(requests, spent))
        if not spent.has(tokens):
            raise _reached(principal, model, "tokens", spent, tokens, _headers(requests, spent))
        requests.take(1)
        spent.take(tokens)
        return Reservation(self._clock, spent, tokens, _headers(requests, spent))

    def _pair(self, principal: Principal, model: str, now: int) -> tuple[Bucket, Bucket]:
        key = (principal.organization, principal.project, model)
        pair = self._buckets.get(key)
        limits = self._limits_of(principal, model)
        if pair is None or (pair[0].limit, pair[1].limit) != (limits.requests, limits.tokens):
            if len(self._buckets) >= _MANY:
                self._forget_full(now)
            pair = Bucket(limits.requests, now), Bucket(limits.tokens, now)
            self._buckets[key] = pair
        return pair

    def _forget_full(self, now: int) -> None:
        """A full bucket is as good as a new one."""
        for key, pair in list(self._buckets.items()):
            for bucket in pair:
                bucket.fill(now)
            if all(bucket.has(bucket.limit) for bucket in pair):
                del self._buckets[key]


def duration(milliseconds: int) -> str:
    """As OpenAI writes one: `120ms`, `8.64s`, `6m0s`, `1h0m30s`."""
    if milliseconds < 1000:
        return f"{milliseconds}ms" if milliseconds else "0s"
    minutes, rest = divmod(milliseconds, 60_000)
    seconds, rest = divmod(rest, 1000)
    text = f"{seconds}.{rest:03d}".rstrip("0") + "s" if rest else f"{seconds}s"
    if minutes >= 60:
        return f"{minutes // 60}h{minutes % 60}m{text}"
    return f"{minutes}m{text}" if minutes else text


def _microseconds(clock: Clock) -> int:
    return round(clock.monotonic() * 1_000_000)


def _headers(requests: Bucket, tokens: Bucket) -> list[tuple[str, str]]:
    return [
        ("x-ratelimit-limit-requests", str(requests.limit)),
        ("x-ratelimit-limit-tokens", str(tokens.limit)),
        ("x-ratelimit-remaining-requests", str(requests.left())),
        ("x-ratelimit-remaining-tokens", str(tokens.left())),
        ("x-ratelimit-reset-requests", duration(requests.milliseconds_until_full())),
        ("x-ratelimit-reset-tokens", duration(tokens.milliseconds_until_full())),
    ]


_UNITS = {"requests": "requests per min (RPM)", "tokens": "tokens per min (TPM)"}


def _reached(
    principal: Principal,
    model: str,
    kind: str,
    bucket: Bucket,
    amount: int,
    headers: list[tuple[str, str]],
) -> errors.RateLimited:
    milliseconds = max(1, bucket.milliseconds_until(amount))
    used = bucket.limit - bucket.left()
    return errors.RateLimited(
        f"Rate limit reached for {model} in organization {principal.organization} on"
        f" {_UNITS[kind]}: Limit {bucket.limit}, Used {used}, Requested {amount}."
        f" Please try again in {duration(milliseconds)}.",
        type=kind,
        headers={
            **dict(headers),
            "retry-after": str(-(-milliseconds // 1000)),
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
