"""Every command of the program, and where it is."""

import os
import shlex
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from app.cli.say import Exit, complain
from app.settings import VERSION

# Names and not imports: a command must not wait for what only the others need.
_MODULES = {
    "serve": "serve",
    "demo": "demo",
    "doctor": "doctor",
    "migrate": "migrate",
    "backup": "backup",
    "verify": "verify",
    "settings": "settings",
    "status": "status",
    "orders": "orders",
    "load-orders": "load_orders",
    "outbox": "outbox",
    "events": "events",
    "streams": "streams",
    "subscribers": "subscribers",
    "dead-letters": "dead_letters",
    "replay": "replay",
    "fill": "replay",
    "unregister": "unregister",
    "api-keys": "api_keys",
    "completion": "completion",
}

# What has none of these is of use to look with.
_PANELS = {
    "Run it": ("serve", "demo", "migrate", "backup", "settings", "completion"),
    "See whether it is well": ("doctor", "status", "verify"),
    "Act": ("dead-letters", "replay", "fill", "unregister", "load-orders", "api-keys"),
}

COMPLETE = "_ORDERLY_COMPLETE"
"""The variable by which a shell asks for completions."""


class Program(TyperGroup):
    """The command line, whose own refusals are JSON too when `--json` stands in it."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,  # noqa: ANN401 - as typer takes it
    ) -> Any:  # noqa: ANN401 - as above
        """Run a command and end the process, as typer does."""
        if COMPLETE in os.environ:
            from typer.completion import get_completion_inspect_parameters  # noqa: PLC0415 - rare

            # What typer does where it brings its own options for this: it learns the shells.
            get_completion_inspect_parameters()
        words = sys.argv[1:] if args is None else args
        own = standalone_mode and "--json" in words
        try:
            code = super().main(
                args,
                prog_name,
                complete_var or COMPLETE,
                standalone_mode and not own,
                windows_expand_args,
                **extra,
            )
        except TyperException as error:
            if not own:
                raise
            complain(error.format_message(), code="usage", json_too=True)
            code = error.exit_code
        if own:
            sys.exit(code if isinstance(code, int) else Exit.DONE)
        return code


def commands(word: str = "") -> typer.Typer:
    """Return the command line: with the command of this name alone, or with all when none has it.

    All are needed for the help and for what was misspelt.
    """
    cli = typer.Typer(
        cls=Program,
        help="Orderly: an order and inventory backend that never loses an event.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    # Typer takes a single command without its name unless there is a callback.
    cli.callback()(_program)
    if COMPLETE in os.environ and word not in _MODULES:
        # A shell asks for names alone, and somebody waits with a finger on the key.
        for name in _MODULES:
            cli.command(name)(_program)
        return cli
    names = [word] if word in _MODULES else [] if word == "--version" else _MODULES
    for name in names:
        module = import_module(f"app.cli.{_MODULES[name]}")
        command = getattr(module, name.replace("-", "_"))
        panel = next((title for title, names in _PANELS.items() if name in names), "Look")
        if isinstance(command, typer.Typer):
            cli.add_typer(command, name=name, no_args_is_help=True, rich_help_panel=panel)
        else:
            cli.command(name, rich_help_panel=panel)(command)
    return cli


def _tell_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"Orderly {VERSION}")
        raise typer.Exit


def _program(
    version: Annotated[
        bool,
        typer.Option("--version", help="Tell the version.", callback=_tell_version, is_eager=True),
    ] = False,
) -> None:
    pass


def first_word() -> str:
    """Return the command that was typed, or that a shell wants completed; "" when none is yet."""
    if COMPLETE not in os.environ:
        return next(iter(sys.argv[1:]), "")
    typed = os.environ.get("COMP_WORDS") or os.environ.get("_TYPER_COMPLETE_ARGS", "")
    try:
        words = shlex.split(typed)
    except ValueError:
        return ""
    return words[1] if len(words) > 1 else ""
