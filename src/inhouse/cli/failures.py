"""What a failure means to the person at the terminal: one line, and an exit code."""

from inhouse.errors import APIError
from inhouse.settings import SettingsError


class Failure(Exception):
    """A command could not do what it was asked; the message says why."""


def explain(error: Exception) -> tuple[str, int] | None:
    """The line to print and the exit code; None for a defect, whose traceback is worth more."""
    from inhouse.engines.catalogue.cache import PullError  # noqa: PLC0415 - only after a failure
    from inhouse.stores.errors import DataFolderError  # noqa: PLC0415 - likewise

    match error:
        case SettingsError():
            return str(error), 2
        case APIError():
            return error.message, 1
        case Failure() | DataFolderError() | PullError():
            return str(error), 1
        case OSError() if error.strerror:
            named = f"{error.filename}: " if error.filename else ""
            return f"{named}{error.strerror}", 1
        case _:
            return None
