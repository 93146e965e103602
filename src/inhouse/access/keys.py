"""API keys as text: made, digested, and shown without giving them away."""

import hmac
import secrets

PREFIX = "sk-proj-"
_STARS = 40


def fresh() -> str:
    """A new key: the prefix that clients expect and 256 random bits in base64url."""
    return PREFIX + secrets.token_urlsafe(32)


def digest(pepper: bytes, key: str) -> str:
    """What a key is found by: HMAC-SHA256 under the server's pepper, in hex."""
    return hmac.digest(pepper, key.encode("utf-8", "replace"), "sha256").hex()


def redacted(key: str) -> str:
    """For lists: the beginning and the last four characters, `sk-proj-ab...wxyz`."""
    head, tail = _ends(key)
    return f"{key[:head]}...{key[len(key) - tail :]}"


def starred(text: str) -> str:
    """For the message about a wrong key: `sk-ab***yz`. At most a third of it is shown, and only
    ASCII.
    """
    head, tail = _ends(text)
    stars = "*" * min(len(text) - head - tail, _STARS)
    shown = text[:head] + stars + text[len(text) - tail :]
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in shown)


def _ends(text: str) -> tuple[int, int]:
    return min(len(PREFIX) + 2, len(text) // 5), min(4, len(text) // 8)
