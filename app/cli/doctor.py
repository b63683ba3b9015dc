"""`doctor`: whether Orderly can do its work here, and what to do when it cannot."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import anyio
import typer

from app.cli.doctor_database import look_at_database
from app.cli.doctor_machine import clocks, machine, packages, port_of, storage
from app.cli.doctor_settings import Given, keys, settings_given, unknown_settings
from app.cli.doctor_stream import look_at_stream
from app.cli.finding import Finding, Verdict, failed, ok, show
from app.cli.say import AsJson, Exit, console, document
from app.errors import StartupError
from app.settings import Settings, load_settings


def doctor(
    host: Annotated[str | None, typer.Option(help="Address that `serve` will be given.")] = None,
    port: Annotated[int | None, typer.Option(help="Port that `serve` will be given.")] = None,
    data: Annotated[Path | None, typer.Option(help="Directory of the embedded mode.")] = None,
    as_json_: AsJson = False,
) -> None:
    """Look at settings, versions, database, Redis, clocks, limits and keys. Changes nothing.

    Each line is ok, a warning or failed, and says what to do. Exits 3 when a line is failed.

    Example: `doctor --json`
    """
    flags = {"host": host, "port": port, "data": data}
    given = settings_given(flags)
    try:
        settings = load_settings(**flags)
        findings = [ok("settings", "usable"), *anyio.run(examined, settings)]
    except StartupError as error:
        remedy = "Correct it and run doctor again; what it needs settings for was not looked at."
        findings = [failed("settings", str(error), remedy), *machine(), *packages()]
    findings[1:1] = unknown_settings()
    verdicts = Counter(one.verdict for one in findings)
    if as_json_:
        document(
            {
                "settings": [one.body() for one in given],
                "checks": [one.body() for one in findings],
                **{verdict.value: verdicts[verdict] for verdict in Verdict},
            }
        )
    else:
        _tell(given, findings, verdicts)
    raise typer.Exit(Exit.WRONG if verdicts[Verdict.FAILED] else Exit.DONE)


async def examined(settings: Settings) -> list[Finding]:
    """Look at everything that settings name; nothing is changed, and nothing raised."""
    findings = [*machine(), *packages()]
    if settings.embedded:
        findings += storage(settings.data)
    database, database_ahead_s, known_keys = await look_at_database(settings)
    stream, stream_ahead_s = await look_at_stream(settings)
    findings += [*database, *stream]
    findings += clocks({"database": database_ahead_s, "stream": stream_ahead_s})
    findings += [await port_of(settings), *keys(settings, known_keys)]
    return findings


def _tell(given: list[Given], findings: list[Finding], verdicts: Counter[Verdict]) -> None:
    out = console()
    for one in given:
        out.print(f"{one.name}={one.value}  ({one.source})", style="dim", soft_wrap=True)
    if not given:
        out.print("every setting is at its default: embedded", style="dim")
    out.print()
    show(findings, out)
    out.print(
        f"\n{verdicts[Verdict.OK]} ok, {verdicts[Verdict.WARNING]} to think about, "
        f"{verdicts[Verdict.FAILED]} failed"
    )
