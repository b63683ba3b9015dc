"""One program with a busy shop in it, and one browser, for all tests of pages."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, async_playwright, expect

from tests.browser.business import KEY, Business, busy
from tests.browser.looking import PATIENCE_MS, Look, entered, opened, signed_in
from tests.system.orderly import Orderly

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))

ARGUMENTS = (
    "--no-sandbox",
    "--disable-dev-shm-usage",
    # Whatever a page asks of another host fails, and is noticed.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--font-render-hinting=none",
    "--disable-gpu",
)


# On a machine that is busy with other tests a page can take its time.
expect.set_options(timeout=PATIENCE_MS)


class Program(Orderly):
    """Orderly with subscribers that fail and that wait."""

    module = "tests.browser.program"


@pytest.fixture(scope="package", autouse=True)
def chromium() -> Path:
    """Return the browser's path; without one, all tests here are skipped."""
    if not CHROMIUM.exists():
        pytest.skip(f"no browser at {CHROMIUM}: install Debian's chromium, or set CHROMIUM")
    return CHROMIUM


@pytest.fixture(scope="package")
def pictures() -> Path | None:
    """Return where screenshots are kept: SCREENSHOTS. Without it none are made."""
    if not (directory := os.environ.get("SCREENSHOTS")):
        return None
    made = Path(directory)
    made.mkdir(parents=True, exist_ok=True)
    return made


@pytest.fixture(scope="package")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orderly]:
    with Program(tmp_path_factory.mktemp("shop"), {"APP_API_KEY": KEY}) as started:
        yield started


@pytest.fixture(scope="package")
async def business(program: Orderly) -> Business:
    """Have a busy morning behind us."""
    return await busy(program.url)


@pytest.fixture(scope="package")
async def browser(chromium: Path) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(
            executable_path=str(chromium), args=list(ARGUMENTS)
        )
        yield started
        await started.close()


@pytest.fixture(scope="package")
async def rooms(
    browser: Browser, business: Business
) -> AsyncIterator[Mapping[str, BrowserContext]]:
    """Sign in once with each of the keys, in a browser of its own."""
    async with AsyncExitStack() as stack:
        made = {}
        for key in (business.viewer, business.operator):
            session = await signed_in(business.url, key)
            made[key] = await stack.enter_async_context(entered(browser, session))
        yield made


@pytest.fixture(scope="package")
async def tour(
    rooms: Mapping[str, BrowserContext], business: Business, pictures: Path | None
) -> AsyncIterator[Look]:
    """Open one page for all that is only looked at, signed in as an operator."""
    async with opened(rooms[business.operator], business.url, pictures) as made:
        yield made


Opening = Callable[..., Awaitable[Look]]


@pytest.fixture
async def look(
    browser: Browser,
    rooms: Mapping[str, BrowserContext],
    business: Business,
    pictures: Path | None,
) -> AsyncIterator[Opening]:
    """Return a function that opens a page as somebody new, or signed in with a key.

    Whatever the pages complained of by the end fails the test.
    """
    async with AsyncExitStack() as stack:

        async def open_(path: str, *, key: str | None = None) -> Look:
            room = rooms[key] if key else await stack.enter_async_context(entered(browser))
            made = await stack.enter_async_context(opened(room, business.url, pictures))
            await made.go(path)
            return made

        yield open_
