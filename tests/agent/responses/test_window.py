"""What a run asks the outside for while it makes its calls."""

from inhouse.agent.responses.window import once


async def test_an_image_that_is_read_again_is_not_fetched_again() -> None:
    asked: list[tuple[str, str]] = []

    async def read(url: str, param: str) -> str:
        asked.append((url, param))
        return f"data of {url}"

    image = once(read)
    assert await image("a", "input[0]") == await image("a", "input[1]") == "data of a"
    assert await image("b", "input[2]") == "data of b"
    assert asked == [("a", "input[0]"), ("b", "input[2]")]
