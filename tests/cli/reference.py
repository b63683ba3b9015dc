"""The reference part of docs/command-line.md, as the commands themselves tell it.

`python -m tests.cli.reference` writes it there.
"""

import re
from collections.abc import Iterator
from typing import Any

from typer.core import TyperGroup
from typer.main import get_command

from app.cli.commands import commands
from tests.starter import ROOT

DOC = ROOT / "docs" / "command-line.md"
MARK = "<!-- From here on made by `python -m tests.cli.reference`. -->"


def each_command() -> Iterator[tuple[str, Any]]:
    """Yield every command that can be typed, by its words."""
    program = get_command(commands())
    assert isinstance(program, TyperGroup)
    for name, command in program.commands.items():
        if isinstance(command, TyperGroup):
            for word, one in command.commands.items():
                yield f"{name} {word}", one
        else:
            yield name, command


def reference() -> str:
    """Return a section per command: what it does, an example, its arguments and options."""
    parts = [MARK, ""]
    for words, command in each_command():
        text, _, example = command.help.partition("Example: `")
        paragraphs = [" ".join(each.split()) for each in text.strip().split("\n\n")]
        parts += [f"### `{words}`", "", *_spaced(paragraphs)]
        typed = example.strip().rstrip("`")
        # Most name the command; what a shell does with it is whole as it is.
        start = "" if "python3 dev.py" in typed else "python3 dev.py "
        parts += ["```", f"{start}{typed}", "```", ""]
        rows = [_row(one) for one in command.params if one.name != "help"]
        if rows:
            parts += ["| | | |", "|---|---|---|", *rows, ""]
    return "\n".join(parts)


def _spaced(paragraphs: list[str]) -> Iterator[str]:
    for each in paragraphs:
        yield each
        yield ""


def _row(parameter: Any) -> str:  # noqa: ANN401 - option or argument
    named = "`, `".join(parameter.opts) if parameter.param_type_name == "option" else ""
    name = f"`{named}`" if named else f"`{(parameter.metavar or parameter.name).upper()}`"
    default = parameter.default
    if parameter.required:
        shown = "required"
    elif default in {None, False} or callable(default):
        shown = ""
    else:
        shown = f"`{default:g}`" if isinstance(default, float) else f"`{default}`"
    if getattr(parameter, "envvar", None):
        shown = f"`{parameter.envvar}`"
    return f"| {name} | {shown} | {' '.join((parameter.help or '').split())} |"


def written() -> str:
    """Return the part of the document that is made."""
    return MARK + DOC.read_text().partition(MARK)[2]


def by_hand() -> str:
    """Return the part of the document that is written by people."""
    return DOC.read_text().partition(MARK)[0]


def blocks() -> list[str]:
    """Return the commands that people wrote there to be typed."""
    return re.findall(r"^```sh\n(.*?)^```$", by_hand(), flags=re.DOTALL | re.MULTILINE)


if __name__ == "__main__":
    DOC.write_text(by_hand() + reference())
