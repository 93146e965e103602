"""What can go wrong with what is kept.

Stale, Duplicate          a write met a different state than it expected: 409
StorageFull               no space: 503, code storage_full; nothing that was acknowledged is lost
StorageBusy               another process held the database for a minute: 503, code storage_busy
DataFolderError           the data folder cannot be opened (not an answer to a client: ends the
start)
├── DataInUse             by another server process
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


class DataFolderError(Exception):
    """The data folder cannot be used; the message says why and what to do."""


class DataInUse(DataFolderError):
    """A server process works on this folder."""


class DataTooNew(DataFolderError):
    """The folder was written by a newer version of this program."""
