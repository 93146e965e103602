"""What a failure of PostgreSQL means to whoever asked for something."""

import logging

from asyncpg import ClientConfigurationError, InterfaceError, InternalClientError, PostgresError
from asyncpg import exceptions as pg

from inhouse import errors
from inhouse.stores.errors import Duplicate, StorageBusy, StorageFull, StorageUnavailable

log = logging.getLogger(__name__)

_GONE = (
    pg.PostgresConnectionError,
    pg.OperatorInterventionError,  # it shuts down, starts, or an operator ended the session
    pg.InvalidCachedStatementError,  # another version migrated: a new connection plans anew
    pg.TooManyConnectionsError,
    pg.IdleInTransactionSessionTimeoutError,
    InternalClientError,
    OSError,
    EOFError,
    TimeoutError,
)
_COLLIDED = (pg.DeadlockDetectedError, pg.SerializationError)
_WAITED = (pg.LockNotAvailableError, pg.QueryCanceledError)
_BROKEN = (
    pg.ReadOnlySQLTransactionError,
    pg.PostgresSystemError,
    pg.InternalServerError,
    pg.InsufficientResourcesError,
)


def gone(error: BaseException) -> bool:
    """Whether the connection failed, not the statement: a new one may serve."""
    if isinstance(error, InterfaceError):
        return "connection" in str(error)
    return isinstance(error, _GONE) and not isinstance(error, _WAITED)


def collided(error: BaseException) -> bool:
    """Whether two transactions met, and the same may succeed at once if it is tried again."""
    return isinstance(error, _COLLIDED)


def waited(error: BaseException) -> bool:
    """Whether it ended because it took too long, most likely waiting for a lock."""
    return isinstance(error, _WAITED)


def replica(error: BaseException) -> bool:
    """Whether the server takes no writes: it was the first one, and another has taken over."""
    return isinstance(error, pg.ReadOnlySQLTransactionError)


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
    if gone(error):
        return StorageUnavailable()
    if isinstance(error, _BROKEN):
        log.error("storage failed: %s (%s)", error, getattr(error, "sqlstate", "?"))
        return errors.ServerError("The server's storage failed.", code="storage_failed")
    return error


def reason(error: BaseException) -> str:
    """What to tell an operator: the server's own words, or the network's, without an address."""
    if isinstance(error, PostgresError) and str(error):
        return str(error).rstrip(".")
    if isinstance(error, TimeoutError):
        return "it does not answer"
    if isinstance(error, ClientConfigurationError):  # its words may have parts of the URL
        return "a part of its URL is not understood, such as sslmode"
    if isinstance(error, OSError):
        return (error.strerror or str(error) or type(error).__name__).rstrip(".")
    return type(error).__name__
