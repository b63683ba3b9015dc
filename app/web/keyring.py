"""The keys as one process remembers them, so that a request costs no query."""

import hmac
import math
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Any, TypeVar

import anyio
import structlog
from sqlalchemy import Row

from app.bus.errors import is_transient
from app.db import Database
from app.web import keys
from app.web.principal import KEY, OPEN, Principal, UnauthenticatedError

REMEMBERED_S = 5.0
"""Seconds after which a key is looked up again: so late a process hears of another's revocation."""

_MOST_REMEMBERED = 10_000
_NOTING_S = 2.0

_NO_KEY = "Send the API key as `Authorization: Bearer <key>`."
_UNKNOWN = "The API key is not one this server knows."

T = TypeVar("T")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Known:
    """A key as it was looked up. refusal says why no secret of it opens anything."""

    principal: Principal
    digest: str
    old_digest: str | None
    old_works: bool
    refusal: str | None

    def admit(self, digest: str) -> Principal:
        """Return whose secret it is. What is wrong with a key is told to its holder only."""
        current = hmac.compare_digest(digest, self.digest)
        if not current and not hmac.compare_digest(digest, self.old_digest or ""):
            raise UnauthenticatedError(_UNKNOWN)
        if self.refusal is not None:
            raise UnauthenticatedError(self.refusal)
        if not current and not self.old_works:
            raise UnauthenticatedError("The API key was rotated, and its old secret has ended.")
        return self.principal


@dataclass(slots=True)
class _Search:
    """A look-up under way, which others who want the same key wait for."""

    done: anyio.Event
    error: Exception | None = None


class KeyRing:
    """Tells whose secret a request carries; one per application, empty at first.

    A key is looked up once in `REMEMBERED_S` seconds however many requests want it at the same
    time, and so is an id that is no key's; both memories are bounded, and a flood of made-up ids
    does not push out real keys.
    """

    def __init__(
        self,
        *,
        open_without_keys: bool,
        own: str | None = None,
        remembered_s: float = REMEMBERED_S,
        most: int = _MOST_REMEMBERED,
    ) -> None:
        self._own = None if own is None else keys.digest(own)
        self._remembered_s = remembered_s
        self._most = most
        self._may_be_open = open_without_keys
        self._open_until = -math.inf
        self._is_asking = False
        self._known: dict[str, tuple[_Known, float]] = {}
        self._unknown: dict[str, float] = {}
        self._searches: dict[str, _Search] = {}
        self._changes = 0
        self._noted: dict[str, float] = {}
        self._due: set[str] = set()

    async def admit(self, database: Database, secret: str | None, *, sent: bool) -> Principal:
        """Return who the secret's key belongs to; OPEN while no key was ever made and may be.

        sent tells whether there was any Authorization header. Raises UnauthenticatedError.
        """
        if self._may_be_open and await self._is_open(database):
            return OPEN
        if not sent:
            raise UnauthenticatedError(_NO_KEY, sent=False)
        key_id = None if secret is None else keys.id_of(secret)
        known = None if key_id is None else await self._look_up(database, key_id)
        if known is None or secret is None:
            raise UnauthenticatedError(_UNKNOWN)
        principal = known.admit(keys.digest(secret))
        self._note(principal.name)
        return principal

    async def owner(self, database: Database, secret: str) -> Principal:
        """As `admit`; knows the holder of APP_API_KEY too, of whom the Gate tells elsewhere."""
        if self._is_own(keys.digest(secret)):
            return KEY
        return await self.admit(database, secret, sent=True)

    async def holder(self, database: Database, name: str, digest: str) -> Principal:
        """Return the principal of this name whose secret has the digest, as long as it has.

        For what was opened by a secret that nobody keeps. Raises UnauthenticatedError.
        """
        if name == KEY.name and self._is_own(digest):
            return KEY
        known = await self._look_up(database, name)
        if known is None:
            raise UnauthenticatedError(_UNKNOWN)
        principal = known.admit(digest)
        self._note(principal.name)
        return principal

    def _is_own(self, digest: str) -> bool:
        """Tell whether it is APP_API_KEY's."""
        return self._own is not None and hmac.compare_digest(digest, self._own)

    def changed(self, key_id: str) -> None:
        """Forget a key that was made or changed: from now on it is what the database says.

        A look-up under way is not remembered either: it may have read what was before.
        """
        self._changes += 1
        self._may_be_open = False
        self._known.pop(key_id, None)
        self._unknown.pop(key_id, None)

    @property
    def has_notes(self) -> bool:
        """True when a use is to be written down by `write_notes`."""
        return bool(self._due)

    async def write_notes(self, database: Database) -> None:
        """Write `last_used_at` of the keys used, a minute or longer after the time before.

        For the time after the reply. A database that cannot be written now is tried again by the
        next use.
        """
        due, self._due = sorted(self._due), set()
        written = False
        try:
            with anyio.move_on_after(_NOTING_S):
                async with database.write() as session:
                    await keys.note_use(session, due)
                written = True
        except Exception as error:
            if not is_transient(error):
                raise
        if not written:
            log.warning("use of API keys not noted", count=len(due))
            for key_id in due:
                self._noted.pop(key_id, None)

    def _note(self, key_id: str) -> None:
        at = monotonic()
        if at - self._noted.get(key_id, -math.inf) >= keys.LAST_USED_EVERY_S:
            self._remember(self._noted, key_id, at)
            self._due.add(key_id)

    async def _is_open(self, database: Database) -> bool:
        if monotonic() < self._open_until:
            return True
        if self._is_asking and self._open_until > -math.inf:
            # Somebody looks already; until they are back it is as it was.
            return True
        asked_at = monotonic()
        self._is_asking = True
        try:
            async with database.read() as session:
                found = await keys.any_key(session)
        finally:
            self._is_asking = False
        if found:
            self._may_be_open = False
        elif self._may_be_open:
            self._open_until = asked_at + self._remembered_s
        return self._may_be_open

    async def _look_up(self, database: Database, key_id: str) -> _Known | None:
        while True:
            remembered = self._known.get(key_id)
            if remembered is not None and monotonic() < remembered[1]:
                return remembered[0]
            if monotonic() < self._unknown.get(key_id, -math.inf):
                return None
            search = self._searches.get(key_id)
            if search is None:
                return await self._search(database, key_id)
            await search.done.wait()
            if search.error is not None:
                # Asked again one after the other, a database that is away would be waited for by
                # each in turn.
                raise search.error

    async def _search(self, database: Database, key_id: str) -> _Known | None:
        search = self._searches[key_id] = _Search(anyio.Event())
        asked_at, changes = monotonic(), self._changes
        try:
            async with database.read() as session:
                row = await keys.find(session, key_id)
        except Exception as error:
            search.error = error
            raise
        finally:
            del self._searches[key_id]
            search.done.set()
        found = None if row is None else _known(row)
        if changes == self._changes:
            if row is None or found is None:
                self._known.pop(key_id, None)
                self._remember(self._unknown, key_id, asked_at + self._remembered_s)
            else:
                until = asked_at + min(self._remembered_s, _unchanged_s(row))
                self._remember(self._known, key_id, (found, until))
        return found

    def _remember(self, memory: dict[str, T], key: str, value: T) -> None:
        """Keep value, and no more than a bounded number of others: the oldest goes."""
        memory.pop(key, None)
        if len(memory) >= self._most:
            del memory[next(iter(memory))]
        memory[key] = value


def _known(row: Row[Any]) -> _Known:
    refusal = None
    if row.revoked_at is not None:
        refusal = "The API key was revoked."
    elif row.expires_at is not None and row.expires_at <= row.asked_at:
        refusal = f"The API key expired at {row.expires_at.isoformat(timespec='seconds')}."
    return _Known(
        Principal(
            name=row.id,
            scopes=frozenset(row.scopes.split()),
            customer_id=row.customer_id,
            rate_limit=row.rate_limit,
        ),
        digest=row.hash,
        old_digest=row.previous_hash,
        old_works=row.previous_until is not None and row.previous_until > row.asked_at,
        refusal=refusal,
    )


def _unchanged_s(row: Row[Any]) -> float:
    """Return for how many seconds what was read holds by itself: until a secret of it ends."""
    asked_at: datetime = row.asked_at
    ends: list[datetime | None] = [row.expires_at, row.previous_until]
    left = [(end - asked_at).total_seconds() for end in ends if end is not None]
    return min((seconds for seconds in left if seconds > 0), default=math.inf)
