"""What can go wrong with what is kept.

Stale, Duplicate          a write met a different state than it expected: 409
StorageFull               no space: 503, code storage_full; nothing that was acknowledged is lost
StorageBusy               another process held what was needed for too long: 503, code storage_busy
StorageUnavailable        the database does not answer: 503, code storage_unavailable
OutcomeUnknown            it went away in the middle of a commit: 503, code storage_outcome_unknown
DataFolderError           the data folder cannot be opened (not an answer to a client: ends the
start)
├── DataInUse             by another server process
├── DatabaseError         a database on PostgreSQL does not answer, refuses, or does not serve
└── DataTooNew            it was written by a newer version of the program
"""

from inhouse import errors


class Stale(errors.Conflict):
    """A statement touched another number of rows than expected; its unit was rolled back."""

    code = "stale"

    def __init__(
        self, message: str = "The object was changed meanwhile. Please try again."
    ) -> None:
        super().__init__(message)


class Duplicate(errors.Conflict):
    """A value that must be unique exists already; the unit was rolled back."""

    code = "already_exists"

    def __init__(self, message: str = "An object with this value exists already.") -> None:
        super().__init__(message)


class StorageFull(errors.Unavailable):
    """The disk, or the size allowed to the database, is used up. Works again once there is
    space.
    """

    code = "storage_full"

    def __init__(self) -> None:
        super().__init__("The server's storage is full. Nothing was saved; please try again later.")


class StorageBusy(errors.Unavailable):
    """Another process kept the database locked for too long."""

    code = "storage_busy"

    def __init__(self) -> None:
        super().__init__("The server's storage is busy. Nothing was saved; please try again.")


class StorageUnavailable(errors.Unavailable):
    """The database does not answer. What was asked for was not done."""

    code = "storage_unavailable"

    def __init__(self) -> None:
        super().__init__(
            "The server's database does not answer. Nothing was saved; please try again.",
            headers={"retry-after": "1"},
        )


class OutcomeUnknown(errors.Unavailable):
    """The connection broke after a commit was asked for, and what became of it cannot be found out.

    Whoever tries again may do it twice, so the official clients are told not to.
    """

    code = "storage_outcome_unknown"

    def __init__(self) -> None:
        super().__init__(
            "The server's database went away while this was saved: it may or may not have been.",
            headers={"x-should-retry": "false"},
        )


class DataFolderError(Exception):
    """The data folder cannot be used; the message says why and what to do."""


class DataInUse(DataFolderError):
    """A server process works on this folder."""


class DatabaseError(DataFolderError):
    """The configured database cannot be used. The message shows no password."""


class DataTooNew(DataFolderError):
    """The folder was written by a newer version of this program."""
