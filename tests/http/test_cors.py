"""Pages of other origins may call the API only when the operator names them."""

from tests.http.test_edge import House, listing

PREFLIGHT = {
    "origin": "https://app.example",
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type",
}


def house(*origins: str) -> House:
    return House(models=listing, origins=origins)


async def test_without_origins_nobody_is_told_anything() -> None:
    answer = await house().ask("GET", "/v1/models", headers={"origin": "https://app.example"})
    assert not any(name.startswith("access-control") for name in answer.headers)
    assert (await house().ask("OPTIONS", "/v1/models", headers=PREFLIGHT)).status == 405


async def test_a_named_origin_may_preflight_without_a_key() -> None:
    headers = {**PREFLIGHT, "authorization": ""}
    answer = await house("https://app.example").ask("OPTIONS", "/v1/models", headers=headers)
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "https://app.example"
    assert answer.headers["access-control-allow-headers"] == "authorization,content-type"
    assert "POST" in answer.headers["access-control-allow-methods"]


async def test_a_named_origin_may_read_the_limits() -> None:
    asking = house("https://app.example")
    answer = await asking.ask("GET", "/v1/models", headers={"origin": "https://app.example"})
    assert answer.headers["access-control-allow-origin"] == "https://app.example"
    assert answer.headers["vary"] == "Origin"
    assert "x-ratelimit-remaining-tokens" in answer.headers["access-control-expose-headers"]
    assert "access-control-allow-credentials" not in answer.headers


async def test_errors_may_be_read_too() -> None:
    asking = house("https://app.example")
    headers = {"origin": "https://app.example", "authorization": "Bearer wrong"}
    answer = await asking.ask("GET", "/v1/models", headers=headers)
    assert answer.status == 401
    assert answer.headers["access-control-allow-origin"] == "https://app.example"


async def test_all_origins_are_named_by_a_star() -> None:
    answer = await house("*").ask("GET", "/v1/models", headers={"origin": "https://a.example"})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "vary" not in answer.headers


async def test_another_origin_is_told_nothing() -> None:
    asking = house("https://app.example")
    answer = await asking.ask("GET", "/v1/models", headers={"origin": "https://other.example"})
    assert answer.status == 200
    assert "access-control-allow-origin" not in answer.headers
    refused = {**PREFLIGHT, "origin": "https://other.example"}
    assert (await asking.ask("OPTIONS", "/v1/models", headers=refused)).status == 400
