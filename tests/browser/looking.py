"""Looking at a page: what it complains of, whom it asks, whether everybody can use it."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from httpx2 import AsyncClient
from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    Response,
    ViewportSize,
)

PATIENCE_MS = 30_000

_WIDE = ViewportSize(width=1280, height=900)
_PHONE = ViewportSize(width=360, height=740)

Session: TypeAlias = Any
"""A cookie as the browser takes it."""

# What the law asks of public pages, and what axe's authors add to it.
_RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")

_AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text()

# What is alike is looked at a few times; it is most of what the looking costs.
_LOOK = """only => axe.run(
  {exclude: ['tbody tr:nth-child(n+4)', 'section:nth-of-type(n+4)']},
  {runOnly: only, resultTypes: ['violations']},
)"""


class Look:
    """An open page, and everything that went wrong with it so far."""

    def __init__(self, page: Page, url: str, pictures: Path | None) -> None:
        self.page = page
        self.wrong: list[str] = []
        self._url = url
        self._pictures = pictures
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.wrong.append(f"{page.url}: {error}"))
        page.on("request", self._asked)
        page.on("response", self._answered)

    async def go(self, path: str) -> None:
        """Open a path of the server."""
        await self.page.goto(self._url + path, wait_until="load")

    def find(self, role: Any, name: str | re.Pattern[str]) -> Locator:  # noqa: ANN401 - of playwright's many
        """Return what has this role and this accessible name."""
        return self.page.get_by_role(role, name=name)

    async def cookies(self) -> set[tuple[str, str]]:
        """Return the cookies that the browser keeps."""
        return {(one["name"], one["value"]) for one in await self.page.context.cookies()}

    async def picture(self, name: str) -> None:
        """Keep a screenshot of the window, if there is a directory for them."""
        if self._pictures is not None:
            await self.page.screenshot(path=self._pictures / f"{name}.png")

    async def _barriers(self, *rules: str) -> list[str]:
        """Return what keeps people from using the page, by axe's rules or by some of them."""
        only = {"type": "rule", "values": rules} if rules else {"type": "tag", "values": _RULES}
        if not await self.page.evaluate("'axe' in window"):
            await self.page.evaluate(_AXE)
        found = await self.page.evaluate(_LOOK, only)
        return [
            f"{one['id']} ({one['impact']}): {node['html'][:160]}"
            for one in found["violations"]
            for node in one["nodes"]
        ]

    async def survey(self, name: str) -> None:
        """Look at the page by day, by night and on a telephone; fail for what is wrong with it."""
        found = [f"by day: {one}" for one in await self._barriers()]
        await self.picture(f"{name}-light")
        await self.page.emulate_media(color_scheme="dark")
        found += [f"by night: {one}" for one in await self._barriers("color-contrast")]
        await self.picture(f"{name}-dark")
        await self.page.emulate_media(color_scheme="light")
        await self.page.set_viewport_size(_PHONE)
        found += [f"on a telephone: {one}" for one in await self.page.evaluate(_TOO_WIDE)]
        await self.picture(f"{name}-phone")
        await self.page.set_viewport_size(_WIDE)
        assert not found, "\n".join([self.page.url, *found])

    def must_be_content(self) -> None:
        """Fail for what went wrong so far, and forget it."""
        wrong, self.wrong = self.wrong, []
        assert not wrong, "\n".join(wrong)

    def forgive(self, words: str) -> None:
        """Take back what went wrong and was meant to; fails when nothing did."""
        meant = [one for one in self.wrong if words in one]
        assert meant, "\n".join(self.wrong)
        self.wrong = [one for one in self.wrong if one not in meant]

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.wrong.append(f"{self.page.url} says: {message.text}")

    def _asked(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme != "data" and not request.url.startswith(f"{self._url}/"):
            self.wrong.append(f"{self.page.url} asks another host: {request.url}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400 and not response.request.is_navigation_request():
            self.wrong.append(f"{self.page.url}: {response.status} for {response.url}")


_TOO_WIDE = """() => {
  const root = document.documentElement;
  if (root.scrollWidth <= root.clientWidth) return [];
  return [...document.body.querySelectorAll('*')]
    .filter(one => one.getBoundingClientRect().right > root.clientWidth + 1)
    .slice(0, 5)
    .map(one => `${one.tagName}.${one.className} reaches ${one.getBoundingClientRect().right}`)
    .concat(`the page is ${root.scrollWidth} wide`);
}"""


@asynccontextmanager
async def entered(
    browser: Browser, session: Session | None = None
) -> AsyncIterator[BrowserContext]:
    """Give a browser as good as new, signed in when there is a session."""
    # Nothing moves, so that nothing is waited for.
    context = await browser.new_context(viewport=_WIDE, reduced_motion="reduce")
    context.set_default_timeout(PATIENCE_MS)
    if session is not None:
        await context.add_cookies([session])
    yield context
    await context.close()


@asynccontextmanager
async def opened(context: BrowserContext, url: str, pictures: Path | None) -> AsyncIterator[Look]:
    """Open an empty page; fails at the end for what went wrong with it."""
    look = Look(await context.new_page(), url, pictures)
    yield look
    await look.page.close()
    look.must_be_content()


async def signed_in(url: str, key: str) -> Session:
    """Sign in as a page would, and return the cookie that came of it."""
    async with AsyncClient(base_url=url) as client:
        answer = await client.post(
            "/console/sign-in", data={"key": key}, headers={"Sec-Fetch-Site": "same-origin"}
        )
        assert answer.status_code == HTTPStatus.SEE_OTHER, answer.text
        ((name, value),) = client.cookies.items()
    about = {"url": f"{url}/console", "httpOnly": True, "sameSite": "Strict"}
    return {"name": name, "value": value, **about}
