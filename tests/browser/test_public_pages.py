"""The pages that need no key: of the API, of its events, of its refusals."""

from playwright.async_api import expect

from tests.browser.conftest import Opening


async def test_the_api_is_documented_without_another_host(look: Opening) -> None:
    docs = await look("/docs")

    # The page is Swagger UI's own: what it says is ours, how it says it is not.
    await expect(docs.page.get_by_text("Place an order", exact=True)).to_be_visible()
    await docs.picture("docs-light")
    await expect(docs.page.locator('a[href="asyncapi"]')).to_be_visible()
    await expect(docs.page.locator('a[href="problems"]')).to_be_visible()


async def test_the_events_are_there_for_everybody(look: Opening) -> None:
    events = await look("/asyncapi")

    await events.survey("asyncapi")

    await events.page.get_by_role("link", name="labels.label_printed.v1", exact=True).click()
    section = events.page.locator("section:target")
    await expect(section).to_contain_text("The label of an order lies in the printer's tray.")
    await section.get_by_text("Example of").click()
    await expect(section.locator("pre").first).to_contain_text('"parcels": 1')


async def test_the_problems_are_there_for_everybody(look: Opening) -> None:
    problems = await look("/problems")

    await problems.survey("problems")

    await problems.page.get_by_role("link", name="order_state_conflict").click()
    await expect(problems.page.get_by_role("heading", level=1)).to_be_visible()
    await problems.survey("problem")
