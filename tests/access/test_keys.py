import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.access import keys


def test_keys_look_as_clients_expect_and_hold_256_bits() -> None:
    made = {keys.fresh() for _ in range(100)}
    assert len(made) == 100
    for key in made:
        assert key.startswith("sk-proj-")
        assert len(key.removeprefix("sk-proj-")) * 6 >= 256
        assert key.isascii()


def test_a_digest_depends_on_key_and_pepper() -> None:
    digests = {
        keys.digest(pepper, key) for pepper in (b"p", b"q") for key in ("a", "b", "ü", "\ud800")
    }
    assert len(digests) == 8
    assert all(len(digest) == 64 for digest in digests)


def test_a_redacted_key_shows_its_ends() -> None:
    assert (
        keys.redacted("sk-proj-abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG") == "sk-proj-ab...DEFG"
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("sk-abcdefghijklmnopyz", "sk-a***************yz"),
        ("sk-proj-abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG", "sk-proj-ab" + "*" * 37 + "DEFG"),
        ("x" * 8000, "xxxxxxxxxx" + "*" * 40 + "xxxx"),
        ("abc", "***"),
        ("", ""),
        ("\x1b[2Jübe" * 8, "?[2J?be?[2" + "*" * 40 + "2J?be"[-4:]),
    ],
)
def test_a_wrong_key_is_shown_with_stars(text: str, shown: str) -> None:
    assert keys.starred(text) == shown


@given(st.text(max_size=80))
def test_stars_hide_at_least_two_thirds(text: str) -> None:
    shown = keys.starred(text)
    assert len(text) - len(shown.replace("*", "")) >= len(text) * 2 // 3 or "*" in text
    assert shown.isascii()
