import pytest

from inhouse.errors import BadRequest
from inhouse.stores import Page
from inhouse.stores.page import listing


@pytest.mark.parametrize(
    ("limit", "code"),
    [
        (0, "integer_below_min_value"),
        (-5, "integer_below_min_value"),
        (10_001, "integer_above_max_value"),
    ],
)
def test_a_limit_out_of_range_is_refused(limit: int, code: str) -> None:
    with pytest.raises(BadRequest, match=f"but got {limit} instead") as caught:
        Page(limit=limit)
    assert (caught.value.param, caught.value.code) == ("limit", code)


def test_an_empty_page_has_no_ids() -> None:
    assert listing([], Page()).body() == {
        "object": "list",
        "data": [],
        "first_id": None,
        "last_id": None,
        "has_more": False,
    }
