"""What is wrong with a page is seen: the tests of our own would say so."""

import pytest

from tests.browser.conftest import Opening

BAD = """<!doctype html>
<html lang="en"><title>Bad</title>
<main><h1>Bad</h1>
<p style="color: #eee; background: #fff">pale</p>
<div style="width: 900px">wide</div>
<img src="http://elsewhere.example/picture.png" alt="A picture">
<script>console.error("broken")</script>
</main></html>"""


async def test_a_bad_page_is_found_out(look: Opening) -> None:
    shown = await look("/problems")
    await shown.page.route(
        "**/bad", lambda route: route.fulfill(body=BAD, content_type="text/html")
    )
    await shown.go("/bad")

    with pytest.raises(AssertionError) as found:
        await shown.survey("bad")

    assert "by day: color-contrast (serious)" in str(found.value)
    assert "by night: color-contrast (serious)" in str(found.value)
    assert "on a telephone: DIV. reaches" in str(found.value)
    shown.forgive("asks another host: http://elsewhere.example/picture.png")
    shown.forgive("says: broken")
    shown.forgive("says: Failed to load resource: net::ERR_NAME_NOT_RESOLVED")


async def test_a_page_that_a_policy_keeps_from_it_is_found_out(look: Opening) -> None:
    shown = await look("/problems")

    await shown.page.set_content(BAD)

    shown.forgive("Applying inline style violates")
    shown.forgive("Executing inline script violates")
    shown.forgive("Loading the image 'http://elsewhere.example/picture.png' violates")
    shown.forgive("asks another host")
