"""Every page of the console, with real data: nothing goes wrong, and everybody can use it."""

from collections.abc import Callable

import pytest
from playwright.async_api import expect

from tests.browser.business import Business
from tests.browser.conftest import Opening
from tests.browser.looking import Look

# name of the picture, the page, and a word that is on it
PAGES: list[tuple[str, Callable[[Business], str], str]] = [
    ("overview", lambda _: "/console", "Outbox"),
    ("orders", lambda _: "/console/orders", "WEB-01"),
    ("order", lambda of: f"/console/orders/{of.fulfilled}", "inventory.stock_reserved.v1"),
    ("order-rejected", lambda of: f"/console/orders/{of.rejected}", "SOLD-OUT"),
    ("inventory", lambda _: "/console/inventory", "SOLD-OUT"),
    ("item", lambda _: "/console/inventory/MUG", "attic"),
    ("dead-letters", lambda _: "/console/dead-letters", "KeyError"),
    ("dead-letter-list", lambda _: "/console/dead-letters?view=list", "orders.order_created.v1"),
    ("dead-letter", lambda of: f"/console/dead-letters/labels/{of.no_boxes[0]}", "No box holds 24"),
    ("action", lambda of: f"/console/actions/{of.action}", "New texts are set"),
    ("streams", lambda _: "/console/streams", "events:orders"),
    ("subscriber", lambda _: "/console/streams/mail", "orders.order_confirmed.v1"),
    ("fill", lambda _: "/console/streams/mail/fill", "mail"),
    ("chain", lambda of: f"/console/chains/{of.chain}", "orders.order_created.v1"),
    ("audit", lambda _: "/console/audit", "pause"),
]


@pytest.mark.parametrize(("name", "path", "word"), PAGES, ids=[name for name, *_ in PAGES])
async def test_a_page_is_whole_and_for_everybody(
    tour: Look, business: Business, name: str, path: Callable[[Business], str], word: str
) -> None:
    await tour.go(path(business))

    await expect(tour.page.locator("main")).to_contain_text(word)
    await tour.survey(name)
    tour.must_be_content()


async def test_what_is_not_there_says_so(tour: Look) -> None:
    await tour.go("/console/orders/ord_00000000000070008000000000000000")

    await expect(tour.find("heading", "Nothing is here")).to_be_visible()
    tour.forgive("404")
    await tour.survey("not-found")
    tour.must_be_content()


async def test_the_way_in_is_for_everybody(look: Opening) -> None:
    shown = await look("/console")

    await expect(shown.page).to_have_title("Sign in · Orderly")
    await shown.survey("sign-in")
