"""What can go wrong on the bus, sorted by what a loop asks: would waiting help."""

from sqlalchemy.exc import DBAPIError, TimeoutError as PoolTimeoutError

# SQLSTATE classes and codes where the same work can succeed later without any change to it:
# connection trouble, lack of resources, operator intervention, serialization, deadlock, lock wait,
# and a statement out of time: a busy server, or a process that stood still in the middle of it.
_TRANSIENT_SQLSTATES = ("08", "53", "57P", "40001", "40P01", "55P03", "25P03", "57014")
_TRANSIENT_TEXTS = (
    "database is locked",
    "connection is closed",
    "disk is full",
    "disk I/O error",
    "readonly database",
)


class BusError(Exception):
    """Root of every error the bus raises itself."""


class PermanentError(BusError):
    """Raised by a handler, or subclassed: trying again cannot help, so dead-letter at once."""


class HandlerError(BusError):
    """A handler met an error of the operating system: its own doing, whatever the engines do."""


class HandlerTimeoutError(BusError):
    """A handler did not return in its time."""


class NoTransactionError(BusError):
    """An event was published outside a transaction, so nothing could bind it to a change."""


class NotAWriteError(BusError):
    """An event was published in a read session, whose transaction never commits anything."""


class StreamError(BusError):
    """The stream engine refused or could not be asked."""


class StreamUnavailableError(StreamError):
    """The stream engine cannot serve now: not reachable, loading, full, or refusing writes."""


class EvictingEngineError(StreamError):
    """The stream engine throws keys away when its memory is full, and streams are keys."""


class GroupMissingError(StreamError):
    """The consumer group or its stream is gone, as after a flush: create it again at 0."""


class EngineError(BusError):
    """The embedded stream engine could not be found or started."""


def is_transient(error: BaseException) -> bool:
    """Tell whether error speaks of the database's state rather than of the work itself.

    True for lost or refused connections, an exhausted pool, lock timeouts, deadlocks and
    serialization failures; false for everything a second try would meet again.
    """
    if isinstance(error, OSError | PoolTimeoutError):
        return True
    if not isinstance(error, DBAPIError):
        return False
    if error.connection_invalidated:
        return True
    sqlstate = getattr(error.orig, "sqlstate", None)
    if sqlstate is not None:
        return str(sqlstate).startswith(_TRANSIENT_SQLSTATES)
    # SQLite has no SQLSTATE: what can pass is told apart by text only.
    return any(text in str(error.orig) for text in _TRANSIENT_TEXTS)
