"""Where stock lies."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.outbox import publish
from app.bus.sql import upsert
from app.modules.inventory.errors import LocationNotFoundError, PreconditionFailedError
from app.modules.inventory.models.tables import Location, StockLevel, locations
from app.modules.inventory.service.book import Book


@dataclass(frozen=True, slots=True, kw_only=True)
class LocationDraft:
    """What a location shall be: orders take from the lowest priority that is active."""

    id: str
    name: str | None = None
    priority: int = 0
    active: bool = True


async def put_location(
    session: AsyncSession, draft: LocationDraft, *, replacing: Collection[int] | None = None
) -> tuple[Location, bool]:
    """Create the location or make it what draft says; return it, and whether it is new.

    `replacing` holds the versions that may be replaced, and then nothing is created; None allows
    both. Raises PreconditionFailedError. A draft that changes nothing leaves the version alone.

    One that is no longer active keeps its stock, and what is reserved there stays so, but offers
    nothing: what that takes from, or gives to, the availability of SKUs is told as any other
    crossing of a threshold. An order decided at the same moment may still go by what it was.
    """
    created = None
    if replacing is None:
        created = await session.scalar(
            upsert(session, locations)
            .values(**asdict(draft), version=1)
            .on_conflict_do_nothing()
            .returning(locations.c.id)
        )
    location = await session.scalar(
        select(Location).where(Location.id == draft.id).with_for_update(key_share=True)
    )
    if location is None or (replacing is not None and location.version not in replacing):
        version = location.version if location else None
        detail = (
            f"The location's version is {version}." if location else "There is no such location."
        )
        raise PreconditionFailedError(detail, current_version=version)
    if created is None:
        await _change(session, location, draft)
    return location, created is not None


async def _change(session: AsyncSession, location: Location, draft: LocationDraft) -> None:
    wanted = asdict(draft)
    if all(getattr(location, name) == value for name, value in wanted.items()):
        return
    book = Book(session)
    if location.active != draft.active:
        lying = select(StockLevel.sku).where(
            StockLevel.location == draft.id, StockLevel.on_hand > StockLevel.reserved
        )
        book = await Book.open(session, (await session.scalars(lying)).all())
        book.offer(draft.id, active=draft.active)
    for name, value in wanted.items():
        setattr(location, name, value)
    location.version += 1
    await session.flush()
    await publish(session, *await book.write())


async def get_location(session: AsyncSession, location_id: str) -> Location:
    """Return a location; raises LocationNotFoundError."""
    location = await session.get(Location, location_id)
    if location is None:
        msg = f"There is no location {location_id}."
        raise LocationNotFoundError(msg)
    return location


async def list_locations(
    session: AsyncSession, *, after: str | None, limit: int
) -> Sequence[Location]:
    """Return up to limit locations by id, those after the given one."""
    page = select(Location).order_by(Location.id).limit(limit)
    if after is not None:
        page = page.where(Location.id > after)
    return (await session.scalars(page)).all()
