"""Each event's contract as a file: `python -m tests.contracts.events` writes those that are new.

And `docs/events.md`, the catalogue for people.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from app import main
from app.bus.catalogue import EventType, by_context, catalogue, kinds
from tests.contracts.openapi import without_prose

DIRECTORY = Path(__file__).with_suffix("")
PAGE = Path(__file__).parents[2] / "docs" / "events.md"

_INTRODUCTION = """\
# Events

Written by `python -m tests.contracts.events` from the classes and the subscribers; a test sees to
it that it is current. A running Orderly shows the same at `/asyncapi`, as a document for programs
at `/asyncapi.json`, and on the command line: `python3 dev.py events list`.

An event is a fact that its context publishes and that any number of subscribers hear. Its type ends
in the version of its shape. What a version holds never changes but by fields that may be missing;
whatever else changes is a new version, which says by `upcasts` how the older ones are read.
`tests/contracts/events` has the JSON Schema of each, and a test refuses what would break a reader.
"""


def types() -> dict[str, EventType]:
    """Return the application's events; tests have others of their own."""
    ours = [kind for kind in kinds() if kind.__module__.startswith("app.")]
    return catalogue(ours, main.SUBSCRIBERS)


def contract(one: EventType) -> dict[str, Any]:
    """Return what readers rely on: the schema without its prose."""
    found: dict[str, Any] = without_prose(one.schema, named=False)
    return found


def kept() -> dict[str, dict[str, Any]]:
    """Return the contracts on file by type."""
    return {file.stem: json.loads(file.read_text()) for file in sorted(DIRECTORY.glob("*.json"))}


def unread(kept_types: Iterable[str], known: Mapping[str, EventType]) -> list[str]:
    """Return which of these types no event reads any more, in its own or in a newer version."""
    read = {name for one in known.values() for name in (one.type, *one.older_versions)}
    return sorted(set(kept_types) - read)


def written(of: Mapping[str, Any]) -> str:
    """Return a contract as the text of its file."""
    return json.dumps(of, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def page(of: Mapping[str, EventType]) -> str:
    """Return the catalogue as Markdown."""
    parts = [_INTRODUCTION, "| event | heard by |", "|---|---|"]
    for one in (each for found in by_context(of).values() for each in found):
        heard = ", ".join(each.subscriber for each in one.subscriptions) or "nobody here"
        parts.append(f"| [`{one.type}`](#{one.type.replace('.', '')}) | {heard} |")
    for context, found in by_context(of).items():
        parts += ["", f"## Published by {context.replace('_', ' ')}"]
        for one in found:
            parts += ["", *_section(one)]
    return "\n".join(parts) + "\n"


def _section(one: EventType) -> list[str]:
    lines = [f"### {one.type}", "", one.description, ""]
    lines += [f"- Heard by **{each.subscriber}** (`{each.handler}`)." for each in one.subscriptions]
    lines += [f"- It is about `{one.subject_field}`, its subject."]
    lines += [f"- Whoever hears it reads `{old}` as well." for old in one.older_versions]
    lines += ["", "| field | type | meaning |", "|---|---|---|"]
    for member in one.members:
        optional = "" if member.is_required else " May be missing."
        lines.append(f"| `{member.name}` | {member.type} | {member.meaning}{optional} |")
    if one.example is not None:
        data = json.dumps(one.example["data"], indent=2, ensure_ascii=False)
        lines += ["", "```json", data, "```"]
    return lines


if __name__ == "__main__":
    DIRECTORY.mkdir(exist_ok=True)
    for type_, one_ in types().items():
        (DIRECTORY / f"{type_}.json").write_text(written(contract(one_)))
    PAGE.write_text(page(types()))
