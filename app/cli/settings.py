"""`settings`: print every setting there is, in the form of a `.env` file."""

import typer

from app.settings import env_example


def settings() -> None:
    """Print every setting with its meaning and default, as a `.env` file to start from."""
    typer.echo(env_example(), nl=False)
