"""`load-orders`: a shop's export becomes products, stock and orders, as any REST client would."""

from pathlib import Path
from typing import Annotated

import anyio
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from app.cli.ask import configured_key
from app.cli.load_follow import SWEEP_S, Decider, Plan
from app.cli.load_report import show, write
from app.cli.load_steps import MAX_QUANTITY, Load
from app.cli.load_tally import PENDING, RESERVED, Tally
from app.cli.rest import Rest, ServerError
from app.cli.shop_export import ExportError, read_export


def load_orders(  # noqa: PLR0913, PLR0917 - each is an argument of the command line
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV export, a row per order line.")],
    url: Annotated[str, typer.Option(help="Where Orderly runs.")] = "http://127.0.0.1:8000",
    stock: Annotated[
        int | None,
        typer.Option(min=0, max=MAX_QUANTITY, help="Units to receive per SKU; unset: plenty."),
    ] = None,
    manual: Annotated[
        bool,
        typer.Option("--manual", help="Hold the orders, then confirm or cancel each at random."),
    ] = False,
    seed: Annotated[int, typer.Option(help="Another one cancels other orders.")] = 0,
    concurrency: Annotated[
        int, typer.Option(min=1, max=64, help="Orders on their way at a time.")
    ] = 8,
    timeout_s: Annotated[
        float, typer.Option("--timeout", min=0, help="Seconds to wait for pending orders.")
    ] = 120.0,
    report: Annotated[
        Path | None, typer.Option(help="File for the outcome of every line, as JSON.")
    ] = None,
    api_key: Annotated[
        str | None, typer.Option(envvar="APP_API_KEY", help="Key to send as a Bearer token.")
    ] = None,
) -> None:
    """Load a shop's export: register products, receive stock, post each invoice as one order.

    Cancelled invoices, write-offs, gifts and finds adjust the stock, as far as there is enough.
    Dirty rows are skipped and counted. A second run of the same file adds nothing. Exits 1 when
    orders are left pending or held, 2 when the file or the server cannot be used, 130 on Ctrl-C.
    """
    if report is not None and not report.parent.is_dir():
        raise _refusal(f"{report} cannot be written: there is no directory {report.parent}.")
    try:
        export = read_export(file)
        rest = Rest(url, key=api_key or configured_key(), connections=concurrency + 2)
    except (ExportError, ServerError) as error:
        raise _refusal(str(error)) from None
    except KeyboardInterrupt:
        typer.echo("Stopped while reading; nothing was sent.", err=True)
        raise typer.Exit(130) from None
    tally = Tally(file, rest.url, export, round(SWEEP_S * 1000))
    plan = Plan(stock, Decider(seed) if manual else None, concurrency, timeout_s)
    code = _run(Load(rest, tally, plan))
    show(tally, Console(markup=False, highlight=False))
    if report is not None:
        try:
            write(tally, report)
        except OSError as error:
            raise _refusal(f"{report} cannot be written: {error.strerror or error}.") from None
    raise typer.Exit(code)


def _run(load: Load) -> int:
    """Run the load to its end, whichever it is, and return the exit code."""
    bars = (TextColumn("{task.description:>9}"), BarColumn(), MofNCompleteColumn())
    try:
        progress = Progress(*bars, TimeElapsedColumn(), console=Console(stderr=True))
        anyio.run(load.run, progress)
    except KeyboardInterrupt:
        typer.echo("Stopped; this is what was done so far.", err=True)
        return 130
    except ServerError as error:
        if not load.begun:
            raise _refusal(str(error)) from None
        typer.echo(str(error), err=True)
        return 2
    return _left(load)


def _left(load: Load) -> int:
    """Say which orders are not at their end, and return the exit code."""
    pending, held = load.tally.standing(PENDING), load.tally.standing(RESERVED)
    if pending:
        typer.echo(
            f"{pending} orders are still pending after {load.plan.timeout_s:g} s; look at "
            f"{load.tally.url}/health/ready and run this again: nothing is added twice.",
            err=True,
        )
    if held:
        again = "run this again" if load.plan.decider else "run this with --manual"
        typer.echo(f"{held} orders are held and not decided: {again}.", err=True)
    return 1 if pending or held else 0


def _refusal(sentence: str) -> typer.Exit:
    typer.echo(sentence, err=True)
    return typer.Exit(2)
