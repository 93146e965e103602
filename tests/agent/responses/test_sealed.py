"""Sealed content opens for the project that it was sealed for, and for no other."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.agent.responses.sealed import Seal
from inhouse.errors import BadRequest
from inhouse.stores.secret import Secret

OLD, NEW = b"o" * 32, b"n" * 32
SEAL = Seal(Secret((OLD,)))


def refused(seal: Seal, token: str, project: str) -> None:
    with pytest.raises(BadRequest) as caught:
        seal.unseal(token, project)
    assert caught.value.code == "invalid_encrypted_content"


@given(st.text(), st.text())
def test_what_was_sealed_opens_again(text: str, project: str) -> None:
    assert SEAL.unseal(SEAL.seal(text, project), project) == text


def test_the_text_cannot_be_seen_and_no_two_seals_are_alike() -> None:
    assert "secret" not in SEAL.seal("secret", "p")
    assert SEAL.seal("secret", "p") != SEAL.seal("secret", "p")


def test_another_project_does_not_open_it() -> None:
    refused(SEAL, SEAL.seal("a", "proj_1"), "proj_2")


def test_another_server_does_not_open_it() -> None:
    refused(Seal(Secret((NEW,))), SEAL.seal("a", "p"), "p")


def test_a_rotated_secret_still_opens_what_is_old_and_seals_with_what_is_new() -> None:
    rotated = Seal(Secret((NEW, OLD)))
    assert rotated.unseal(SEAL.seal("a", "p"), "p") == "a"
    refused(SEAL, rotated.seal("a", "p"), "p")


@given(st.integers(0, 40), st.integers(1, 255))
def test_not_a_byte_may_be_changed(at: int, by: int) -> None:
    raw = bytearray(base64.urlsafe_b64decode(SEAL.seal("what was thought", "p")))
    raw[at] ^= by
    refused(SEAL, base64.urlsafe_b64encode(raw).decode(), "p")


@pytest.mark.parametrize("token", ["", "gAAAAAB", "é", "AQ==", "////", "A" * 400])
def test_what_is_no_seal_is_refused(token: str) -> None:
    refused(SEAL, token, "p")
