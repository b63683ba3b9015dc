"""What operators do at the console: sign in, look, mend, run again, waive; by mouse and by keys."""

import re

import anyio
from playwright.async_api import expect

from tests.browser.business import Business, place, post
from tests.browser.conftest import Opening
from tests.system.orderly import Shop

DATA = "Data, as JSON"


async def test_a_key_is_asked_for_and_a_viewer_can_only_look(
    look: Opening, business: Business
) -> None:
    letter = f"/console/dead-letters/labels/{business.no_boxes[0]}"
    shown = await look(letter)
    await shown.page.get_by_label("API key").fill("ok_0123456789_of_somebody_else")
    await shown.find("button", "Sign in").click()
    await expect(shown.page.get_by_text("does not know that key")).to_be_visible()
    shown.forgive("422")

    await shown.page.get_by_label("API key").fill(business.viewer)
    await shown.find("button", "Sign in").click()

    # There, and not to the front page.
    await expect(shown.page).to_have_url(business.url + letter)
    await expect(shown.page.get_by_text("No box holds 24 of MUG").first).to_be_visible()
    for path in (
        letter,
        "/console/dead-letters?view=list",
        f"/console/orders/{business.cancelled}",
    ):
        await shown.go(path)
        names = await shown.page.locator("main").get_by_role("button").all_inner_texts()
        assert not re.search("(?i)redrive|discard|cancel|confirm|run", " ".join(names))

    await shown.find("button", "Sign out").click()
    await expect(shown.page).to_have_title("Sign in · Orderly")
    await shown.go(letter)
    await expect(shown.page).to_have_title("Sign in · Orderly")


async def test_a_dead_letter_is_mended_tried_without_effect_and_redriven(
    look: Opening, business: Business
) -> None:
    shown = await look("/console/dead-letters", key=business.operator)
    await shown.page.get_by_role("link", name="NoBoxError", exact=True).click()
    event = business.no_boxes[1]
    await shown.page.locator(f'a[href*="{event}"]').first.click()
    data = shown.page.get_by_label(DATA)
    was, many = await data.input_value(), '"quantity": 24'

    await data.fill(was.replace(many, f"{many},,"))
    await shown.find("button", "Dry run").click()
    await expect(shown.page.get_by_role("alert")).to_contain_text("not JSON")
    shown.forgive("422")

    await data.fill(was.replace(many, '"quantity": "many"'))
    await shown.find("button", "Dry run").click()
    await expect(shown.page.get_by_role("alert")).to_contain_text("/lines/0/quantity")
    await shown.picture("dead-letter-misfit")
    shown.forgive("422")

    await data.fill(was.replace(many, '"quantity": 4'))
    await shown.find("button", "Dry run").click()
    await expect(shown.page.locator("#dry-run")).to_contain_text("It would be handled")
    await expect(shown.page.locator("#dry-run")).to_contain_text("labels.label_printed.v1")
    await shown.survey("dead-letter-dry-run")

    await shown.find("button", "Redrive it").click()
    await shown.page.get_by_role("dialog").get_by_role("button", name="Redrive it").click()
    await expect(shown.page.locator("main")).to_contain_text("It was handled")
    async with business.shop() as shop:
        left = await shop.items("/v1/ops/dead-letters", error_type="NoBoxError")
    assert event not in [letter["event_id"] for letter in left]


async def test_a_dead_letter_is_waived_with_a_reason(look: Opening, business: Business) -> None:
    path = f"/console/dead-letters/labels/{business.no_boxes[2]}"
    shown = await look(path, key=business.operator)

    await shown.page.get_by_label("Reason").fill("They collect it themselves")
    await shown.find("button", "Discard it").click()
    await shown.page.get_by_role("dialog").get_by_role("button", name="Discard it").click()

    await expect(shown.page.get_by_text("The reason is kept")).to_be_visible()
    await shown.page.get_by_role("link", name="Dead letters").first.click()
    await shown.find("link", "Discarded").click()
    await expect(shown.page.locator("main")).to_contain_text("NoBoxError")


async def test_all_that_match_are_redriven_and_their_progress_is_seen(
    look: Opening, business: Business
) -> None:
    shown = await look("/console/dead-letters", key=business.operator)
    await shown.page.get_by_role("link", name="KeyError", exact=True).click()

    await shown.find("button", "Redrive all that match…").click()
    await shown.find("button", f"Redrive {business.too_large}").click()

    # Without a reload: mirrors have got no smaller.
    await expect(shown.page.locator("#action-progress")).to_contain_text(
        f"{business.too_large} failed again"
    )
    await shown.survey("action-progress")


async def test_what_happens_is_seen_without_a_reload(look: Opening, business: Business) -> None:
    shown = await look("/console/orders", key=business.viewer)
    await shown.page.evaluate("window.unchanged = true")

    async with business.shop() as shop:
        order = await place(shop, reference="JUST-NOW", manual=True)
        await expect(shown.page.locator("main")).to_contain_text("JUST-NOW")
        assert await shown.page.evaluate("window.unchanged")
        await shown.page.get_by_role("row", name="JUST-NOW").get_by_role("link").first.click()
        await expect(shown.page.locator("main")).to_contain_text("reserved")
        await shown.page.evaluate("window.unchanged = true")

        await post(shop, f"/v1/orders/{order}/confirm", {})

    await expect(shown.page.locator("main")).to_contain_text("confirmed after")
    assert await shown.page.evaluate("window.unchanged")


async def test_an_order_is_confirmed_and_another_is_called_off_by_clicking(
    look: Opening, business: Business
) -> None:
    shown = await look(f"/console/orders/{business.reserved[0]}", key=business.operator)

    await shown.page.get_by_role("button", name="Confirm", exact=True).click()
    await expect(shown.page.locator("main")).to_contain_text("confirmed")

    await shown.go(f"/console/orders/{business.reserved[1]}")
    await shown.page.get_by_text("Cancel the order…").click()
    await shown.page.get_by_label("Reason").fill("Ordered twice")
    await shown.page.get_by_role("button", name="Cancel the order", exact=True).click()
    await shown.page.get_by_role("dialog").get_by_role("button", name="Cancel the order").click()
    await expect(shown.page.locator("main")).to_contain_text("Ordered twice")
    async with business.shop() as shop:
        statuses = [(await shop.get(order))["status"] for order in business.reserved[:2]]
    assert statuses == ["confirmed", "cancelled"]


async def test_a_subscriber_goes_on_and_is_paused_again(look: Opening, business: Business) -> None:
    shown = await look("/console/streams", key=business.operator)
    await shown.find("link", "Manage mail").click()
    await expect(shown.page.locator("main")).to_contain_text("New texts are set")

    await shown.find("button", "Resume mail").click()
    await expect(shown.find("button", "Pause")).to_be_visible()
    async with business.shop() as shop:
        assert await _paused(shop) == []

    await shown.page.get_by_label("Reason").fill("Proofs are read")
    await shown.find("button", "Pause").click()
    await shown.page.get_by_role("dialog").get_by_role("button", name="Pause").click()
    await expect(shown.find("button", "Resume mail")).to_be_visible()
    await expect(shown.page.locator("main")).to_contain_text("Proofs are read")
    async with business.shop() as shop:
        assert await _paused(shop) == ["mail"]


async def _paused(shop: Shop) -> list[str]:
    subscribers = await shop.items("/v1/ops/subscribers")
    return [one["name"] for one in subscribers if one["paused"]]


async def test_keys_alone_are_enough(look: Opening, business: Business) -> None:
    shown = await look("/console", key=business.viewer)
    keys, page = shown.page.keyboard, shown.page

    await keys.press("Tab")
    await expect(page.locator(":focus")).to_have_text("Skip to content")
    await keys.press("Enter")
    await expect(page.locator("main")).to_be_focused()
    await shown.go("/console")
    for _ in range(4):
        await keys.press("Tab")
    await expect(page.locator(":focus")).to_have_text("Orders")
    outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"
    await keys.press("Enter")
    await expect(page).to_have_url(f"{business.url}/console/orders")

    await page.get_by_label("Search", exact=True).focus()
    await keys.type("WEB-0042")
    await keys.press("Enter")

    # The one order that has this reference.
    await expect(page).to_have_url(re.compile("/console/orders/ord_"))
    await expect(page.locator("main")).to_contain_text("WEB-0042")


async def test_day_or_night_is_chosen_and_kept(look: Opening, business: Business) -> None:
    shown = await look("/console/audit", key=business.viewer)
    root = shown.page.locator("html")

    for theme in ("light", "dark", "system"):
        await shown.find("button", re.compile("^Theme")).click()
        await expect(root).to_have_attribute("data-theme", theme)
        # The browser keeps a cookie a moment after the page has set it.
        with anyio.fail_after(5):
            while ("orderly_theme", theme) not in await shown.cookies():
                await anyio.sleep(0.02)
        await shown.page.reload()
        await expect(root).to_have_attribute("data-theme", theme)
