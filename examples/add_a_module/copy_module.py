"""`python3 dev.py new-module NAME`: copy the example into the house under a name of its own.

Adds app/modules/NAME, tests/NAME and a migration, and two lines in app/main.py. Nothing else.
"""

import keyword
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
MAIN = ROOT / "app" / "main.py"
VERSIONS = ROOT / "app" / "migrations" / "versions"

_NAME = re.compile(r"[a-z][a-z0-9]{1,15}")


class RefusedError(Exception):
    """The module cannot be made; the text says why and what to do."""


def check(name: str) -> None:
    """Raise RefusedError unless a module of this name can be made."""
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        msg = (
            f"A module's name is 2 to 16 lower-case letters and digits, such as shipping or "
            f"loyalty; {name!r} is not."
        )
        raise RefusedError(msg)
    taken = [ROOT / "app" / "modules" / name, ROOT / "tests" / name, ROOT / "app" / name]
    for path in taken:
        if path.exists():
            msg = f"{path.relative_to(ROOT)} is there already: choose another name, or remove it."
            raise RefusedError(msg)


def renamed(text: str, name: str) -> str:
    """Return text with the example's two words replaced: shipping by name, shipment by record.

    Names that all modules share, such as those of operations and schemas, get both.
    """
    if name == "shipping":
        return text
    for old, new in (
        ("shipping_shipments", f"{name}_records"),
        ("_shipment", f"_{name}_record"),
        ("Shipment", f"{name.capitalize()}Record"),
        ("shipment", "record"),
        ("shipping", name),
        ("Shipping", name.capitalize()),
        ("shp_", f"{name[:3]}_"),
    ):
        text = text.replace(old, new)
    return text


def next_revision() -> tuple[str, str]:
    """Return the number of the newest migration, and the one after it."""
    newest = max(path.name[:4] for path in VERSIONS.glob("[0-9][0-9][0-9][0-9]_*.py"))
    return newest, f"{int(newest) + 1:04}"


def copy(name: str) -> list[Path]:
    """Write the module's files and return where they are."""
    newest, number = next_revision()
    written: list[Path] = []
    for source in sorted(HERE.glob("*/**/*.py")):
        place = renamed(str(source.relative_to(HERE)), name).replace("NNNN", number)
        text = source.read_text().replace('"NNNN"', f'"{number}"').replace('"PREV"', f'"{newest}"')
        target = ROOT / place
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(renamed(text, name))
        written.append(target)
    return written


def list_in_main(name: str) -> None:
    """Add the two lines in app/main.py: the import, and the module's place in MODULES."""
    text = MAIN.read_text()
    imported = f"from app.modules.{name} import api as {name}_api, handlers as {name}_handlers\n"
    text = text.replace("from app.runtime import", f"{imported}from app.runtime import", 1)
    listed = f"    ({name}_api.router, {name}_handlers.subscriber),\n"
    begin = text.index("MODULES = (\n")
    end = text.index("\n)\n", begin) + 1
    MAIN.write_text(text[:end] + listed + text[end:])


def tidy(paths: list[Path]) -> None:
    """Format what was written: other names make other line lengths and another order."""
    ruff = [sys.executable, "-m", "ruff"]
    files = list(map(str, paths))
    for words in (("format",), ("check", "--fix"), ("format",)):
        subprocess.run([*ruff, *words, "--quiet", *files], cwd=ROOT, check=True)


def main(arguments: list[str]) -> int:
    """Make the module that the one argument names, and say what to do next."""
    if len(arguments) != 1:
        print("Usage: python3 dev.py new-module NAME", file=sys.stderr)
        return 2
    name = arguments[0]
    try:
        check(name)
    except RefusedError as error:
        print(error, file=sys.stderr)
        return 1
    written = copy(name)
    list_in_main(name)
    tidy([*written, MAIN])
    for path in written:
        print(f"  {path.relative_to(ROOT)}")
    print(
        f"  app/main.py (two lines)\n\n"
        f"Next: python3 dev.py test tests/{name} -n 0\n"
        f"then  .venv/bin/python -m tests.contracts.openapi, and the same with .events, to accept "
        f"its routes and events into the contracts.  python3 dev.py check  runs everything."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
