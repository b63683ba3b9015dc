"""The catalogue: what can be ordered, and for how much."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.sql import now, upsert
from app.modules.orders.errors import PreconditionFailedError, ProductNotFoundError
from app.modules.orders.models.tables import Product, products


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductDraft:
    """What a product shall be."""

    sku: str
    title: str
    unit_price_minor: int
    currency: str
    active: bool = True


async def put_product(
    session: AsyncSession, draft: ProductDraft, *, replacing: Collection[int] | None = None
) -> tuple[Product, bool]:
    """Create the product or make it what draft says; return it, and whether it is new.

    `replacing` holds the versions that may be replaced, and then nothing is created; None allows
    both. Raises PreconditionFailedError. A draft that changes nothing leaves the version alone.
    """
    created = None
    if replacing is None:
        created = await session.scalar(
            upsert(session, products)
            .values(**asdict(draft), version=1)
            .on_conflict_do_nothing()
            .returning(products.c.sku)
        )
    product = await session.scalar(
        select(Product).where(Product.sku == draft.sku).with_for_update()
    )
    if product is None or (replacing is not None and product.version not in replacing):
        version = product.version if product else None
        detail = f"The product's version is {version}." if product else "There is no such product."
        raise PreconditionFailedError(detail, current_version=version)
    if created is None:
        await _change(session, product, draft)
    return product, created is not None


async def _change(session: AsyncSession, product: Product, draft: ProductDraft) -> None:
    wanted = asdict(draft)
    if all(getattr(product, name) == value for name, value in wanted.items()):
        return
    for name, value in wanted.items():
        setattr(product, name, value)
    product.version += 1
    product.updated_at = now()  # read back below
    await session.flush()
    await session.refresh(product)


async def get_product(session: AsyncSession, sku: str) -> Product:
    """Return a product; raises ProductNotFoundError."""
    product = await session.get(Product, sku)
    if product is None:
        raise ProductNotFoundError(f"There is no product {sku}.")
    return product


async def list_products(
    session: AsyncSession, *, after: str | None, limit: int
) -> Sequence[Product]:
    """Return up to limit products by SKU, those after the given one."""
    page = select(Product).order_by(Product.sku).limit(limit)
    if after is not None:
        page = page.where(Product.sku > after)
    return (await session.scalars(page)).all()
