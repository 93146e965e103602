"""The server's secret: peppers keys, seals what must come back unread. Never logged, never in the
database, which on PostgreSQL only has a digest of it.

It comes from INHOUSE_SECRET, or from the file `secret` in the data folder, which is made (0600) at
the first start. It is a list: the first one is used for what is new, the others still open what is
old, so that a secret can be rotated.
"""

import hmac
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from inhouse.stores.database import Database, Statement
from inhouse.stores.errors import DataFolderError

FILE = "secret"
_SHORTEST = 16
_FACT = "secret"


@dataclass(frozen=True, slots=True)
class Secret:
    """The secrets, newest first. `derive` makes independent keys of them, one per purpose."""

    values: tuple[bytes, ...] = field(repr=False)

    def derive(self, purpose: str) -> tuple[bytes, ...]:
        """A key of 32 bytes for `purpose` from each secret, newest first."""
        return tuple(hmac.digest(value, purpose.encode(), "sha256") for value in self.values)


def load(data: Path, configured: Sequence[str] = ()) -> Secret:
    """The configured secrets, or those of the data folder, made if there are none.
    DataFolderError.
    """
    if configured:
        where, texts = "INHOUSE_SECRET", list(configured)
    else:
        path = data / FILE
        where, texts = str(path), _read_or_make(path)
    if not texts or any(len(text) < _SHORTEST for text in texts):
        raise DataFolderError(f"{where}: a secret must have at least {_SHORTEST} characters.")
    return Secret(tuple(text.encode() for text in texts))


async def agree(database: Database, secret: Secret) -> None:
    """See to it that all processes on a shared database have one secret: under another one, no key
    would be valid and nothing sealed could be opened. DataFolderError.

    The database keeps a digest of the newest one.
    """
    if not database.shared:
        return
    marks = [mark.hex() for mark in secret.derive("which secret it is")]
    made = "INSERT INTO facts (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING"
    await database.write(Statement(made, (_FACT, marks[0])), quiet=True)
    known = (await database.read("SELECT value FROM facts WHERE name = ?", (_FACT,)))[0][0]
    if known not in marks:
        raise DataFolderError(
            "INHOUSE_SECRET is not the one that this database is used with. All processes on it"
            " need the same; to change it, put the new one before the old one."
        )
    if known != marks[0]:
        newest = "UPDATE facts SET value = ? WHERE name = ? AND value = ?"
        await database.write(Statement(newest, (marks[0], _FACT, known)), quiet=True)


def _read_or_make(path: Path) -> list[str]:
    try:
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)
    except FileNotFoundError:
        _make(path)
    return path.read_text("ascii").split()


def _make(path: Path) -> None:
    """Write a new secret; of two processes that try, both then read the same one."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f".{FILE}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(fresh, path)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
