"""How tests run `load-orders` in their own process, and read what it says."""

import json
from pathlib import Path
from typing import Any

import typer
from typer.testing import CliRunner, Result

from app.cli.load_orders import load_orders

EXAMPLE = Path(__file__).parents[2] / "examples" / "orders.csv"
HEADER = "InvoiceNo,StockCode,Description,Quantity,UnitPrice,CustomerID"

command = typer.Typer()
command.command()(load_orders)


def run(file: Path, url: str, *arguments: str) -> Result:
    """Load file to url, to the end."""
    return CliRunner().invoke(
        command, [str(file), "--url", url, *arguments], env={"COLUMNS": "100"}
    )


def export(path: Path, *rows: str) -> Path:
    """Write an export of these rows."""
    path.write_text("\n".join([HEADER, *rows]))
    return path


def report_of(path: Path) -> dict[str, Any]:
    """Return the report that a load wrote."""
    loaded: dict[str, Any] = json.loads(path.read_text())
    return loaded
