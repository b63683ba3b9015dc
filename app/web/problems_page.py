"""A page for each kind of problem: what `type` in a problem document leads to."""

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from app.errors import AppError
from app.web.problem import NothingHereError

# Addresses are relative, so that the pages also work below a prefix of some proxy.
_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<link rel="stylesheet" href="{root}docs/page.css">
<link rel="icon" href="data:,">
</head>
<body>
<header>
<p class="name"><b>Orderly</b> problems</p>
<nav aria-label="Site">
<a href="{root}docs">REST API</a>
<a href="{root}asyncapi">Events</a>
<a href="{root}problems">Problems</a>
</nav>
</header>
<main class="short">
{body}
</main>
</body>
</html>
"""

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept",
}


@dataclass(frozen=True, slots=True)
class Kind:
    """A code with everything the API promises of it; several refusals can share one."""

    code: str
    status: HTTPStatus
    title: str
    retryable: bool
    meanings: Sequence[str]
    remedies: Sequence[str]

    @property
    def path(self) -> str:
        """Where its page is, which is also the `type` of its documents."""
        return f"/problems/{self.code}"

    @property
    def shown(self) -> dict[str, object]:
        """The page as JSON."""
        return {
            "type": self.path,
            "code": self.code,
            "status": int(self.status),
            "title": self.title,
            "retryable": self.retryable,
            "meaning": list(self.meanings),
            "remedy": list(self.remedies),
        }


def refusals(of: type[AppError] = AppError) -> Iterator[type[AppError]]:
    """Yield every kind of refusal that this process knows."""
    yield of
    for kind in of.__subclasses__():
        yield from refusals(kind)


def registry() -> dict[str, Kind]:
    """Return every code by name, so that none can be forgotten: it is read from the classes."""
    by_code: dict[str, list[type[AppError]]] = {}
    for refusal in refusals():
        by_code.setdefault(refusal.code, []).append(refusal)
    return {code: _kind(same) for code, same in sorted(by_code.items())}


def _kind(same: Sequence[type[AppError]]) -> Kind:
    first = same[0]
    return Kind(
        first.code,
        first.status,
        first.title,
        first.retryable,
        list(dict.fromkeys(_meaning(one) for one in same)),
        list(dict.fromkeys(one.remedy for one in same if one.remedy)),
    )


def _meaning(refusal: type[AppError]) -> str:
    if refusal is AppError:
        return "The request cannot be read as it is; its detail says why."
    return " ".join(inspect.cleandoc(refusal.__doc__ or "").split())


def install(app: FastAPI) -> None:
    """Serve `/problems` and `/problems/{code}`: pages for browsers, JSON for everybody else."""

    @app.get("/problems", include_in_schema=False)
    async def problems(request: Request) -> Response:
        kinds = list(registry().values())
        if _wants_page(request):
            return HTMLResponse(_index(kinds), headers=_HEADERS)
        return JSONResponse({"items": [kind.shown for kind in kinds]}, headers=_HEADERS)

    @app.get("/problems/{code}", include_in_schema=False)
    async def problem(request: Request, code: str) -> Response:
        kind = registry().get(code)
        if kind is None:
            raise NothingHereError("No problem has this code; /problems lists them all.")
        if _wants_page(request):
            return HTMLResponse(_single(kind), headers=_HEADERS)
        return JSONResponse(kind.shown, headers=_HEADERS)


def _wants_page(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")


def _index(kinds: Sequence[Kind]) -> str:
    rows = "\n".join(
        f'<tr><td>{int(kind.status)}</td><td><a href="problems/{escape(kind.code)}"><code>'
        f"{escape(kind.code)}</code></a></td><td>{escape(kind.title)}</td></tr>"
        for kind in kinds
    )
    body = (
        "<h1>Problems</h1>\n<p>What the API refuses with, by its stable <code>code</code>.</p>\n"
        f"<table>\n<tr><th>Status</th><th>Code</th><th>Title</th></tr>\n{rows}\n</table>"
    )
    return _PAGE.format(root="", title="Problems", body=body)


def _single(kind: Kind) -> str:
    again = (
        "The same request can succeed later, unchanged."
        if kind.retryable
        else "Sent again as it is, the request is refused again while things stand as they do."
    )
    body = "\n".join(
        [
            f"<h1>{escape(kind.title)}</h1>",
            f"<p><code>{escape(kind.code)}</code> · {int(kind.status)} {kind.status.phrase}</p>",
            "<h2>What it means</h2>",
            *(f"<p>{prose(meaning)}</p>" for meaning in kind.meanings),
            "<h2>What to do</h2>",
            *(f"<p>{prose(remedy)}</p>" for remedy in kind.remedies),
            f"<p>{again}</p>",
            '<p><a href="../problems">All problems</a></p>',
        ]
    )
    return _PAGE.format(root="../", title=escape(f"{kind.title} ({kind.code})"), body=body)


def prose(sentence: str) -> str:
    """Render a docstring's sentence: what is in backquotes is code."""
    parts = escape(sentence).split("`")
    return "".join(f"<code>{part}</code>" if i % 2 else part for i, part in enumerate(parts))
