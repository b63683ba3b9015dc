"""`python -m app`: the command line."""

import sys

import typer
from sqlalchemy.exc import SQLAlchemyError

from app.bus.errors import StreamError
from app.cli.dead_letters import dead_letters
from app.cli.load_orders import load_orders
from app.cli.migrate import migrate
from app.cli.replay import fill, replay
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
cli.add_typer(dead_letters, name="dead-letters", no_args_is_help=True)
cli.command()(replay)
cli.command()(fill)


def main() -> None:
    """Run a command; what cannot be started is one sentence and exit code 1."""
    try:
        cli()
    except StartupError as error:
        sys.stderr.write(f"orderly: {error}\n")
        sys.exit(1)
    except (OSError, SQLAlchemyError, StreamError) as error:
        # What a machine or a server refuses is the operator's to mend, and a traceback no help.
        reason = (str(getattr(error, "orig", None) or error).splitlines() or [""])[0]
        sys.stderr.write(f"orderly: {type(error).__name__}: {reason}\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
