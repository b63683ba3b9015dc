"""What documents tell people to type, read out of them and held against the real parsers."""

import ast
import importlib
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from typer.core import TyperGroup
from typer.exceptions import TyperException
from typer.main import get_command

from app.cli.commands import commands
from tests.starter import ROOT

PROGRAM = get_command(commands())

# Words of dev.py's own that take nothing, as its HELP shows them; others are the program's.
OWN = set(re.findall(r"^  ([a-z-]+)(?: NAME)? +\w", (ROOT / "dev.py").read_text(), re.MULTILINE))
OF_THE_PROGRAM = {"run", "demo", "doctor"}

# A word of a command that stands for anything: «…», ID, [--quick], $ORDER.
PLACEHOLDER = re.compile(r"^[\[$]|…|^[A-Z][A-Z_]*$")


@dataclass(frozen=True)
class Block:
    """A fenced block of a document."""

    document: Path
    kind: str
    text: str
    number: int

    def __str__(self) -> str:
        return f"{self.document.relative_to(ROOT)}:{self.number}:{self.kind or 'plain'}"


class WrongError(Exception):
    """A command in a document that the program would refuse; the text says which and why."""


def blocks(documents: Iterable[Path]) -> Iterator[Block]:
    """Yield every fenced block, with the number of its line."""
    for document in documents:
        text = document.read_text()
        for found in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
            number = text.count("\n", 0, found.start()) + 1
            yield Block(document, found[1], found[2], number)


def lines(text: str) -> list[str]:
    """Return the commands of a block, one each, without comments."""
    whole = re.sub(r"\\\n\s*", " ", text)
    cut = (re.sub(r"(^|\s+)#\s.*$", "", line).strip() for line in whole.splitlines())
    return [line for line in cut if line]


def is_command(line: str) -> bool:
    """Tell whether a line is to be typed, and is no output."""
    first = re.sub(r"^([A-Z_]+=\S* +)+", "", line).split(maxsplit=1)[0]
    return first in PROGRAMS or re.match(r"^(export )?[A-Z_][A-Z0-9_]*=", line) is not None


OURS = {"python3", "python", ".venv/bin/python", "curl", "export"}
OTHERS = {
    *("alembic", "buildah", "cd", "cp", "docker", "git", "kill", "kubectl", "mkdir", "pg_dump"),
    *("pg_restore", "podman", "psql", "redis-cli", "sqlite3", "uv", "uvicorn", "valkey-cli"),
}
PROGRAMS = OURS | OTHERS


def check_program(words: list[str], *, whole: bool = True) -> None:
    """Raise WrongError unless the program's own parser takes these words.

    Without whole, parameters may be missing, and a group may stand without its word.
    """
    if not words or "--help" in words:
        return
    command: Any = PROGRAM
    taken: list[str] = []
    rest = list(words)
    while isinstance(command, TyperGroup):
        if not rest:
            if whole:
                raise WrongError(f"{' '.join(words)}: a word is missing")
            return
        word = rest.pop(0).replace("run", "serve") if command is PROGRAM else rest.pop(0)
        if word not in command.commands:
            raise WrongError(f"{' '.join(words)}: there is no {word}")
        command = command.commands[word]
        taken.append(word)
    try:
        with command.make_context(" ".join(taken), filled(rest, command)):
            pass
    except TyperException as error:
        if whole or type(error).__name__ != "MissingParameter":
            raise WrongError(f"{' '.join(words)}: {error.format_message()}") from error


def filled(words: Iterable[str], command: Any) -> list[str]:  # noqa: ANN401 - as typer has it
    """Return words with something of the right kind where a document leaves it open."""
    numbers = {
        name
        for option in command.params
        for name in option.opts
        if option.bare_type in {int, float}
    }
    found: list[str] = []
    for word in words:
        bare = word.strip("[]")
        if not PLACEHOLDER.search(word) or word.startswith("[--"):
            found.append(bare)
        else:
            found.append("1" if found and found[-1] in numbers else "x")
    return found


def check_dev(words: list[str], *, whole: bool = True) -> None:
    """Raise WrongError unless `python3 dev.py WORDS` is something that can be typed."""
    if not words or PLACEHOLDER.search(words[0]):
        return
    word, *rest = words
    if word not in OWN - OF_THE_PROGRAM:
        check_program(words, whole=whole)
    elif word in {"bench", "faults"}:
        folder = ROOT / ("bench" if word == "bench" else "tests/faults")
        check_options(folder / "__main__.py", rest)
    elif word == "test":
        check_paths([one for one in rest if one.startswith("tests")])
    elif rest and word not in {"new-module", "lock", "image"}:
        raise WrongError(f"dev.py {word} takes nothing, and is given {rest}")


def check_options(script: Path, words: Iterable[str]) -> None:
    """Raise WrongError when a script's parser knows not every option among words.

    Read and not run: what the bench imports is no part of the tests' lock.
    """
    known = set(re.findall(r'add_argument\(\s*"(--[a-z-]+)"', script.read_text()))
    for option in re.findall(r"--[a-z-]+", " ".join(words)):
        if option not in known:
            raise WrongError(f"{script.relative_to(ROOT)} has no {option}")


def check_paths(words: Iterable[str]) -> None:
    """Raise WrongError for a file of ours that is not there."""
    tops = {path.name for path in ROOT.iterdir()}
    for word in words:
        path = word.strip("'\"[],:;)").removeprefix("./").rstrip("/.")
        first = path.partition("/")[0]
        whole = "/" in path and not re.search(r"[…*$<>{}()|]|^\.venv/", path)
        if whole and first in tops and not (ROOT / path).exists():
            raise WrongError(f"{path} is not there")


def check_line(line: str, routes: Mapping[str, set[str]]) -> None:
    """Raise WrongError unless a command of a document can be typed as it stands there."""
    check_paths(re.findall(r"[^\s=]+", line))
    for typed in re.findall(r"python3 dev\.py((?: [^|)&;\n]*)?)", line):
        check_dev(split(typed))
    for typed in re.findall(r"-m app ([^|)&;\n]*)", line):
        check_program(split(typed))
    for module in re.findall(r"python3? -m ([\w.]+)", line):
        check_module(module)
    for script, typed in re.findall(r"python3? ((?!dev)[\w./]+\.py)([^|)&;\n]*)", line):
        check_options(ROOT / script, [typed])
    for typed in re.findall(r"\bcurl ([^|)\n]*)", line):
        check_request(split(typed), routes)


def split(typed: str) -> list[str]:
    """Return the words of a command, up to where its output goes elsewhere."""
    typed = re.split(r"\s[|>]\s", typed)[0]
    try:
        return shlex.split(typed)
    except ValueError:
        # Of a quote that another command's output is in.
        return typed.split()


def check_module(module: str) -> None:
    """Raise WrongError for a module that `python -m` would not find."""
    path = ROOT / module.replace(".", "/")
    ours = module.partition(".")[0] in {"app", "tests", "bench", "examples"}
    if ours and not (path.with_suffix(".py").exists() or (path / "__main__.py").exists()):
        raise WrongError(f"there is no module {module}")


def check_request(words: list[str], routes: Mapping[str, set[str]]) -> None:
    """Raise WrongError unless a route takes what curl is told to ask."""
    addresses = [word for word in words if "://" in word or word.startswith("$V1")]
    method = "POST" if any(word in {"-d", "--data"} for word in words) else "GET"
    if "-X" in words:
        method = words[words.index("-X") + 1]
    for address in addresses:
        path = re.sub(r"^(\w+://[^/]+|\$V1)", "", address).partition("?")[0]
        path = ("/v1" if address.startswith("$V1") else "") + path
        if not any(
            method in methods and re.fullmatch(re.sub(r"{\w+}", "[^/]+", route), path)
            for route, methods in routes.items()
        ):
            raise WrongError(f"no route takes {method} {path}")


def check_python(text: str, *, imports: bool) -> None:
    """Raise WrongError unless Python compiles, and what it imports of ours is there."""
    for node in ast.walk(ast.parse(text)) if imports else ():
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith(("app.", "tests.")):
            module = importlib.import_module(str(node.module))
            for name in node.names:
                inner = f"{module.__name__}.{name.name}"
                if not hasattr(module, name.name) and find_spec(inner) is None:
                    raise WrongError(f"{node.module} has no {name.name}")
