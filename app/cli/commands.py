"""Every command of the program, and where it is."""

from importlib import import_module

import typer

# Names and not imports: a command must not wait for what only the others need.
_MODULES = {
    "serve": "serve",
    "migrate": "migrate",
    "verify": "verify",
    "settings": "settings",
    "load-orders": "load_orders",
    "dead-letters": "dead_letters",
    "replay": "replay",
    "fill": "replay",
    "unregister": "unregister",
    "keys": "keys",
}


def commands(word: str = "") -> typer.Typer:
    """Return the command line: with the command of this name alone, or with all when none has it.

    All are needed for the help and for what was misspelt.
    """
    cli = typer.Typer(
        help="Orderly: an order and inventory backend that never loses an event.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    # Typer takes a single command without its name unless there is a callback.
    cli.callback()(lambda: None)
    for name in [word] if word in _MODULES else _MODULES:
        module = import_module(f"app.cli.{_MODULES[name]}")
        command = getattr(module, name.replace("-", "_"))
        if isinstance(command, typer.Typer):
            cli.add_typer(command, name=name, no_args_is_help=True)
        else:
            cli.command(name)(command)
    return cli
