"""`load-orders`: a shop's export becomes products, stock and orders, as any REST client would."""

from pathlib import Path
from typing import Annotated

import anyio
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from app.cli.ask import HERE, ApiKey, Url, configured_key
from app.cli.load_follow import SWEEP_S, Decider, Plan
from app.cli.load_report import report as report_of, show, write
from app.cli.load_steps import MAX_QUANTITY, Load
from app.cli.load_tally import PENDING, RESERVED, Tally
from app.cli.rest import Rest, ServerError
from app.cli.say import AsJson, Exit, complain, console, document, on_a_terminal, refusal
from app.cli.shop_export import ExportError, read_export


def load_orders(  # noqa: PLR0913, PLR0917 - each is an argument of the command line
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV export, a row per order line.")],
    url: Url = HERE,
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
    api_key: ApiKey = None,
    as_json_: AsJson = False,
) -> None:
    """Load a shop's export: register products, receive stock, post each invoice as one order.

    Cancelled invoices, write-offs, gifts and finds adjust the stock, as far as there is enough.
    Dirty rows are skipped and counted. A second run of the same file adds nothing. Exits 1 when
    orders are left pending or held, 2 when the file or the server cannot be used, 130 on Ctrl-C.

    Example: `load-orders examples/orders.csv --stock 8 --manual`
    """
    if report is not None and not report.parent.is_dir():
        raise refusal(f"{report} cannot be written: there is no directory {report.parent}.")
    try:
        export = read_export(file)
        rest = Rest(url, key=api_key or configured_key(), connections=concurrency + 2)
    except (ExportError, ServerError) as error:
        raise refusal(str(error)) from None
    except KeyboardInterrupt:
        complain("Stopped while reading; nothing was sent.", code="stopped")
        raise typer.Exit(Exit.INTERRUPTED) from None
    tally = Tally(file, rest.url, export, round(SWEEP_S * 1000))
    plan = Plan(stock, Decider(seed) if manual else None, concurrency, timeout_s)
    code = _run(Load(rest, tally, plan))
    if as_json_:
        document(report_of(tally))
    else:
        show(tally, console())
    if report is not None:
        try:
            write(tally, report)
        except OSError as error:
            raise refusal(f"{report} cannot be written: {error.strerror or error}.") from None
    raise typer.Exit(code)


def _run(load: Load) -> int:
    """Run the load to its end, whichever it is, and return the exit code."""
    bars = (TextColumn("{task.description:>9}"), BarColumn(), MofNCompleteColumn())
    try:
        progress = Progress(
            *bars,
            TimeElapsedColumn(),
            console=console(error=True),
            disable=not on_a_terminal(),
        )
        anyio.run(load.run, progress)
    except KeyboardInterrupt:
        complain("Stopped; this is what was done so far.", code="stopped")
        return Exit.INTERRUPTED
    except ServerError as error:
        if not load.begun:
            raise refusal(str(error)) from None
        complain(str(error), code="no_server")
        return Exit.UNUSABLE
    return _left(load)


def _left(load: Load) -> int:
    """Say which orders are not at their end, and return the exit code."""
    pending, held = load.tally.standing(PENDING), load.tally.standing(RESERVED)
    if pending:
        complain(
            f"{pending} orders are still pending after {load.plan.timeout_s:g} s; look at "
            f"{load.tally.url}/health/ready and run this again: nothing is added twice.",
            code="still_pending",
        )
    if held:
        again = "run this again" if load.plan.decider else "run this with --manual"
        complain(f"{held} orders are held and not decided: {again}.", code="still_held")
    return Exit.FAILED if pending or held else Exit.DONE
