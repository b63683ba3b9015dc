"""`python -m app`: the command line."""

import sys

import typer

from app.cli.load_orders import load_orders
from app.cli.migrate import migrate
from app.cli.serve import serve
from app.cli.settings import settings
from app.cli.verify import verify
from app.errors import StartupError

cli = typer.Typer(
    help="Orderly: an order and inventory backend that never loses an event.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
cli.command()(serve)
cli.command()(migrate)
cli.command()(verify)
cli.command()(settings)
cli.command("load-orders")(load_orders)


def main() -> None:
    """Run a command; what cannot be started is one sentence and exit code 1."""
    try:
        cli()
    except StartupError as error:
        sys.stderr.write(f"orderly: {error}\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
