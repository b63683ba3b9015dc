"""`settings`: print every setting there is, in the form of a `.env` file."""

import typer

from app.cli.say import AsJson, document
from app.settings import Settings, variable_of


def settings(as_json_: AsJson = False) -> None:
    """Print every setting with its meaning and default, as a `.env` file to start from.

    Example: `settings > .env`
    """
    if not as_json_:
        typer.echo(env_example(), nl=False)
        return
    fields = Settings.model_fields
    items = [
        {"name": variable_of(name), "default": default(name), "description": field.description}
        for name, field in fields.items()
    ]
    document({"items": items})


def env_example() -> str:
    """Return a `.env` file that names every setting, each at its default and commented out."""
    lines = ["# Every setting of Orderly, made by `python3 dev.py settings > .env.example`.", ""]
    for name, field in Settings.model_fields.items():
        default = field.get_default()
        shown = "" if default in {None, ()} else default
        if isinstance(default, bool):
            shown = str(default).lower()
        lines += [f"# {field.description}", f"#{variable_of(name)}={shown}", ""]
    return "\n".join(lines)


def default(name: str) -> object:
    """Return a setting's default as JSON knows it; None when it has none."""
    value = Settings.model_fields[name].get_default()
    if value == ():
        return None
    return value if isinstance(value, bool | int | float | str) or value is None else str(value)
