"""How a run is told: tables of faults, load, recovery and invariants."""

from collections.abc import Iterator, Sequence

from tests.faults.attack import Report


def told(report: Report) -> str:
    """Return a report as text."""
    return "\n".join(_lines(report))


def _lines(report: Report) -> Iterator[str]:
    witness = report.witness
    yield f"{report.name} · seed {report.seed} · {report.seconds:.0f} s of faults"
    yield ""
    yield from _rows((kind, str(count)) for kind, count in sorted(report.faults.items()))
    yield from _rows([("faults", str(report.faults.total()))])
    yield ""
    drained = "not within its time" if report.drained_s is None else f"{report.drained_s:.1f} s"
    commands, refused = witness.commands, witness.refusals
    replies = ", ".join(f"{count} x {what}" for what, count in sorted(witness.statuses.items()))
    yield from _rows(
        [
            ("orders", f"{len(witness.ids)} ({witness.repeats} asked for twice)"),
            ("commands", ", ".join(f"{n} x {what}" for what, n in sorted(commands.items()))),
            ("refused", ", ".join(f"{n} x {what}" for what, n in sorted(refused.items()))),
            ("events", f"{report.events} ({report.events / max(1, report.seconds):.0f}/s)"),
            ("answers", replies),
            (
                "dead letters",
                f"{report.dead_letters}, all of them poison"
                if not report.broken
                else str(report.dead_letters),
            ),
            ("processes ended by poison", f"{report.poisoned} killed, {report.blocked} blocked"),
            ("committed to handled", _spread(report.critical_s)),
            *((f"kill -9 {role} to next", _spread(took)) for role, took in report.next_s.items()),
            *(
                (f"kill -9 {role} to all", _spread(took))
                for role, took in report.recovered_s.items()
            ),
            ("at rest after", drained),
            ("invariants broken", str(len(report.broken))),
        ]
    )
    for one in report.broken:
        yield f"  BROKEN {one}"


def _rows(pairs: Iterator[tuple[str, str]] | Sequence[tuple[str, str]]) -> Iterator[str]:
    for label, value in pairs:
        yield f"  {label:<32} {value}"


def _spread(seconds: Sequence[float]) -> str:
    if not seconds:
        return "never measured"
    ordered = sorted(seconds)
    p50, p99 = (ordered[min(len(ordered) - 1, int(len(ordered) * part))] for part in (0.5, 0.99))
    return f"p50 {p50:.2f} s, p99 {p99:.2f} s, worst {ordered[-1]:.2f} s ({len(ordered)})"
