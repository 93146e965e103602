import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.access.limits import Limiter, Limits, Reservation, always, duration
from inhouse.clock import FrozenClock
from inhouse.errors import RateLimited
from inhouse.scope import Principal


def principal(project: str = "proj_1") -> Principal:
    return Principal("user-1", "org-1", project, "key_1", frozenset({"*"}))


def limiter(clock: FrozenClock, requests: int = 60, tokens: int = 6000) -> Limiter:
    return Limiter(clock, always(Limits(requests, tokens)))


def headers(reservation: Reservation) -> list[str]:
    return [value for _, value in reservation.headers]


def test_a_reservation_says_what_is_left(clock: FrozenClock) -> None:
    reservation = limiter(clock).reserve(principal(), "m", 1000)
    assert reservation.headers == [
        ("x-ratelimit-limit-requests", "60"),
        ("x-ratelimit-limit-tokens", "6000"),
        ("x-ratelimit-remaining-requests", "59"),
        ("x-ratelimit-remaining-tokens", "5000"),
        ("x-ratelimit-reset-requests", "1s"),
        ("x-ratelimit-reset-tokens", "10s"),
    ]


def test_requests_over_the_limit_wait_until_exactly_then(clock: FrozenClock) -> None:
    limit = limiter(clock, requests=3)
    for left in (2, 1, 0):
        assert headers(limit.reserve(principal(), "m", 0))[2] == str(left)
    with pytest.raises(RateLimited) as caught:
        limit.reserve(principal(), "m", 0)
    error = caught.value
    assert error.envelope()["error"] == {
        "message": "Rate limit reached for m in organization org-1 on requests per min (RPM): "
        "Limit 3, Used 3, Requested 1. Please try again in 20s.",
        "type": "requests",
        "param": None,
        "code": "rate_limit_exceeded",
    }
    assert error.status == 429
    assert error.headers == {
        "x-ratelimit-limit-requests": "3",
        "x-ratelimit-limit-tokens": "6000",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-remaining-tokens": "6000",
        "x-ratelimit-reset-requests": "1m0s",
        "x-ratelimit-reset-tokens": "0s",
        "retry-after": "20",
        "retry-after-ms": "20000",
    }
    clock.advance(19.999)
    with pytest.raises(RateLimited) as caught:
        limit.reserve(principal(), "m", 0)
    assert caught.value.headers["retry-after-ms"] == "1"
    clock.advance(0.001)
    limit.reserve(principal(), "m", 0)
    with pytest.raises(RateLimited):
        limit.reserve(principal(), "m", 0)


def test_tokens_over_the_limit_wait_until_exactly_then(clock: FrozenClock) -> None:
    limit = limiter(clock, tokens=6000)
    limit.reserve(principal(), "m", 5900)
    with pytest.raises(RateLimited) as caught:
        limit.reserve(principal(), "m", 118)
    error = caught.value
    assert error.type == "tokens"
    assert "tokens per min (TPM): Limit 6000, Used 5900, Requested 118." in error.message
    assert error.message.endswith("Please try again in 180ms.")
    assert error.headers["retry-after"] == "1"
    assert error.headers["retry-after-ms"] == "180"
    clock.advance(0.18)
    assert headers(limit.reserve(principal(), "m", 118))[3] == "0"


def test_a_refused_request_takes_nothing(clock: FrozenClock) -> None:
    limit = limiter(clock)
    for _ in range(5):
        limit.reserve(principal(), "m", 1000)
    for _ in range(100):
        with pytest.raises(RateLimited):
            limit.reserve(principal(), "m", 1001)
    assert headers(limit.reserve(principal(), "m", 1000))[2:4] == ["54", "0"]


def test_a_request_that_can_never_fit_is_told_so(clock: FrozenClock) -> None:
    with pytest.raises(RateLimited) as caught:
        limiter(clock).reserve(principal(), "m", 6001)
    error = caught.value
    assert error.message == (
        "Request too large for m in organization org-1 on tokens per min (TPM): Limit 6000, "
        "Requested 6001. The input or output tokens must be reduced in order to run successfully."
    )
    assert (error.type, error.code) == ("tokens", "rate_limit_exceeded")
    assert error.headers["x-should-retry"] == "false"
    assert "retry-after" not in error.headers


def test_settling_gives_back_what_was_not_used_once(clock: FrozenClock) -> None:
    limit = limiter(clock)
    reservation = limit.reserve(principal(), "m", 5000)
    reservation.settle(200)
    reservation.settle(0)
    assert headers(limit.reserve(principal(), "m", 0))[3] == "5800"


def test_settling_more_than_reserved_makes_a_debt(clock: FrozenClock) -> None:
    limit = limiter(clock)
    limit.reserve(principal(), "m", 100).settle(9000)
    with pytest.raises(RateLimited) as caught:
        limit.reserve(principal(), "m", 1)
    assert caught.value.headers["x-ratelimit-remaining-tokens"] == "0"
    assert caught.value.headers["retry-after-ms"] == "30010"
    clock.advance(30.01)
    limit.reserve(principal(), "m", 1)


def test_late_settling_never_fills_over_the_limit(clock: FrozenClock) -> None:
    limit = limiter(clock)
    reservation = limit.reserve(principal(), "m", 5000)
    clock.advance(3600)
    reservation.settle(0)
    assert headers(limit.reserve(principal(), "m", 0))[2:4] == ["59", "6000"]


def test_projects_and_models_have_limits_of_their_own(clock: FrozenClock) -> None:
    limit = limiter(clock, requests=1)
    limit.reserve(principal(), "m", 0)
    limit.reserve(principal(), "n", 0)
    limit.reserve(principal("proj_2"), "m", 0)
    with pytest.raises(RateLimited):
        limit.reserve(principal(), "m", 0)


def test_changed_limits_hold_at_once(clock: FrozenClock) -> None:
    limits = [Limits(1, 100)]
    limit = Limiter(clock, lambda _principal, _model: limits[0])
    limit.reserve(principal(), "m", 0)
    limits[0] = Limits(5, 100)
    assert headers(limit.reserve(principal(), "m", 0))[:3:2] == ["5", "4"]


def test_full_buckets_are_forgotten_and_used_ones_are_not(clock: FrozenClock) -> None:
    limit = limiter(clock, requests=60_000)
    limit.reserve(principal(), "used", 0)
    for number in range(10_050):
        clock.advance(0.001)
        limit.reserve(principal(), f"m{number}", 0)
    assert len(limit._buckets) < 10_000
    limit.reserve(principal(), "spent", 6000)
    for number in range(10_050):
        clock.advance(0.001)
        limit.reserve(principal(), f"n{number}", 0)
    with pytest.raises(RateLimited):
        limit.reserve(principal(), "spent", 6000)


@pytest.mark.parametrize(("requests", "tokens"), [(0, 1), (1, 0), (-1, 5)])
def test_limits_below_one_are_refused(requests: int, tokens: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Limits(requests, tokens)


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "0s"),
        (1, "1ms"),
        (120, "120ms"),
        (999, "999ms"),
        (1000, "1s"),
        (8640, "8.64s"),
        (1001, "1.001s"),
        (60_000, "1m0s"),
        (90_500, "1m30.5s"),
        (360_000, "6m0s"),
        (3_600_000, "1h0m0s"),
        (5_430_010, "1h30m30.01s"),
    ],
)
def test_durations_are_written_as_openai_writes_them(milliseconds: int, text: str) -> None:
    assert duration(milliseconds) == text


steps = st.lists(
    st.tuples(st.integers(0, 70_000), st.integers(0, 7000), st.integers(0, 9000)), max_size=30
)


@given(steps, st.integers(1, 50), st.integers(1, 6000))
def test_a_retry_after_the_told_time_is_let_in_and_one_before_is_not(
    steps: list[tuple[int, int, int]], requests: int, tokens: int
) -> None:
    clock = FrozenClock(1000)
    limit = limiter(clock, requests, tokens)
    for wait, ask, used in steps:
        clock.advance(wait / 1000)
        error = _refusal(limit, ask, used)
        if error is None or ask > tokens:
            assert error is None or error.headers["x-should-retry"] == "false"
            continue
        clock.advance((int(error.headers["retry-after-ms"]) - 1) / 1000)
        assert _refusal(limit, ask)
        clock.advance(0.001)
        again = _refusal(limit, ask)
        # The other of the two limits may be used up as well.
        assert again is None or again.type != error.type


def _refusal(limit: Limiter, tokens: int, used: int | None = None) -> RateLimited | None:
    try:
        limit.reserve(principal(), "m", tokens).settle(tokens if used is None else used)
    except RateLimited as error:
        return error
    return None


@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 400)), max_size=60))
def test_never_more_than_the_limit_in_any_minute_beyond_one_burst(
    asks: list[tuple[int, int]],
) -> None:
    clock = FrozenClock(1000)
    limit = limiter(clock, 1000, 600)
    granted = 0
    for wait, tokens in asks:
        clock.advance(wait / 1000)
        if _refusal(limit, tokens) is None:
            granted += tokens
    passed = clock.monotonic() - 1000
    assert granted <= 600 + passed * 10 + 1e-3
