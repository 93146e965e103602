"""Sealed text: what a client keeps for the server and cannot read, `encrypted_content`.

AES-256-GCM under a key derived from the server's secret, with the project as associated data: only
the project that a text was sealed for opens it again. When the secret is rotated, what older ones
sealed still opens.
"""

import base64
import binascii
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from inhouse.errors import BadRequest
from inhouse.stores.secret import Secret

_VERSION = b"\x01"
_NONCE = 12


class Seal:
    """Seals and opens texts. Thread-safe."""

    def __init__(self, secret: Secret) -> None:
        self._keys = [AESGCM(key) for key in secret.derive("encrypted_content")]

    def seal(self, text: str, project: str) -> str:
        """The text as a token of URL-safe characters."""
        nonce = os.urandom(_NONCE)
        sealed = self._keys[0].encrypt(nonce, text.encode(), project.encode())
        return base64.urlsafe_b64encode(_VERSION + nonce + sealed).decode("ascii")

    def unseal(self, token: str, project: str) -> str:
        """The text of a token that was sealed for `project`. BadRequest for any other."""
        try:
            raw = base64.b64decode(token, altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise _foreign() from None
        if raw[:1] != _VERSION:
            raise _foreign()
        nonce, sealed = raw[1 : 1 + _NONCE], raw[1 + _NONCE :]
        if len(nonce) < _NONCE:
            raise _foreign()
        for key in self._keys:
            try:
                return key.decrypt(nonce, sealed, project.encode()).decode()
            except InvalidTag:
                continue
        raise _foreign()


def _foreign() -> BadRequest:
    return BadRequest(
        "The encrypted content could not be verified: it was not sealed by this server for this "
        "project.",
        param="input",
        code="invalid_encrypted_content",
    )
