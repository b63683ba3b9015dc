"""docs/rest.md, whose tables tell what the OpenAPI document does.

`python -m tests.contracts.openapi` writes it; what stands above the mark is written by people.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "rest.md"
MARK = "<!-- From here on made by `python -m tests.contracts.openapi`. -->"

# Behind what the modules serve.
_LAST = ("events", "ops", "keys", "health", "metrics")

_TITLES = {
    "orders": "Orders and products",
    "ops": "For operators",
    "keys": "API keys",
    "health": "Health",
}


def made(document: Mapping[str, Any]) -> str:
    """Return a table for each tag: every operation, what it does, and the scope it asks for."""
    by_tag: dict[str, list[str]] = {}
    for tag, row in _operations(document):
        by_tag.setdefault(tag, []).append(row)
    parts = [MARK]
    for tag in sorted(by_tag, key=lambda tag: _LAST.index(tag) if tag in _LAST else -1):
        parts += [
            "",
            f"## {_TITLES.get(tag, tag.capitalize())}",
            "",
            "| | | scope |",
            "|---|---|---|",
        ]
        parts += by_tag[tag]
    return "\n".join(parts) + "\n"


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            scopes = [scope for one in operation.get("security", ()) for scope in one["key"]]
            asked = ", ".join(f"`{scope}`" for scope in scopes) or "none"
            what = operation["summary"]
            yield operation["tags"][0], f"| `{method.upper()} {path}` | {what} | {asked} |"


def by_hand() -> str:
    """Return the part of the page that is written by people."""
    return PAGE.read_text().partition(MARK)[0]


def write(document: Mapping[str, Any]) -> None:
    """Make the page again."""
    PAGE.write_text(by_hand() + made(document))
