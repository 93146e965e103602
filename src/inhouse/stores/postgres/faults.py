"""What a failure of PostgreSQL means to whoever asked for something."""

import logging

from asyncpg import InterfaceError, InternalClientError, PostgresError
from asyncpg import exceptions as pg

from inhouse import errors
from inhouse.stores.errors import Duplicate, StorageBusy, StorageFull, StorageUnavailable

log = logging.getLogger(__name__)

_GONE = (
    pg.PostgresConnectionError,  # 08
    pg.OperatorInterventionError,  # 57P0x: it shuts down, starts, or an operator ended the session
    pg.ReadOnlySQLTransactionError,  # of a writer: this server has become a replica
    pg.InvalidCachedStatementError,  # another version migrated: a new connection plans anew
    pg.TooManyConnectionsError,
    pg.IdleInTransactionSessionTimeoutError,
    InterfaceError,
    InternalClientError,
    OSError,
    EOFError,
    TimeoutError,
)
_TRY_AGAIN = (pg.DeadlockDetectedError, pg.SerializationError)
_WAITED = (pg.LockNotAvailableError, pg.QueryCanceledError)
_BROKEN = (pg.SystemError, pg.InternalServerError, pg.InsufficientResourcesError)


def gone(error: BaseException) -> bool:
    """Whether the connection failed, not the statement: a new one may serve."""
    return isinstance(error, _GONE) and not isinstance(error, _WAITED)


def collided(error: BaseException) -> bool:
    """Whether two transactions met, and the same may succeed at once if it is tried again."""
    return isinstance(error, _TRY_AGAIN)


def waited(error: BaseException) -> bool:
    """Whether it ended because it took too long, most likely waiting for a lock."""
    return isinstance(error, _WAITED)


def explain(error: Exception) -> Exception:
    """The error that the caller gets: an APIError for what the outside caused, else the error
    itself.
    """
    if isinstance(error, pg.UniqueViolationError):
        return Duplicate()
    if isinstance(error, pg.DiskFullError):
        return StorageFull()
    if waited(error) or collided(error):
        return StorageBusy()
    if isinstance(error, pg.ReadOnlySQLTransactionError):
        return _failed(error)
    if gone(error):
        return StorageUnavailable()
    return _failed(error) if isinstance(error, _BROKEN) else error


def _failed(error: Exception) -> errors.ServerError:
    log.error("storage failed: %s (%s)", error, getattr(error, "sqlstate", "?"))
    return errors.ServerError("The server's storage failed.", code="storage_failed")


def reason(error: BaseException) -> str:
    """What to tell an operator: the server's own words, which hold no password."""
    if isinstance(error, PostgresError | OSError) and str(error):
        return str(error).rstrip(".")
    return "it does not answer" if isinstance(error, TimeoutError) else type(error).__name__
