"""What a migration may not do, because others would wait for it or would not understand it.

squawk knows most of it; what it does not look at is in `OURS`. A migration that does such a thing
knowingly says so, by rule and reason: `accepted = {"ban-drop-column": "no build reads it"}`.
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, event

BASELINE = "0008"
"""The last migration that came before the first release, when nobody could be made to wait."""

# What squawk would have: other types, other keys, and statements that may be run twice. Ours are
# transactions, and what cannot be one is made to be run again by app/migrations/online.py.
_MATTERS_OF_TASTE = re.compile(r"prefer-.*")

# What an older build does not survive. Accepted, it also says which build comes first; and so does
# what binds every build that writes.
_BINDS = re.compile(
    r"ALTER TABLE (?:ONLY )?(\S+) (?:ADD CONSTRAINT|ALTER COLUMN \S+ SET NOT NULL)"
    r"|CREATE UNIQUE INDEX .*?\bON (\S+)",
    re.IGNORECASE,
)
_MADE = re.compile(r"CREATE TABLE (\S+)", re.IGNORECASE)
CONTRACTS = {
    "adding-required-field",
    "ban-drop-column",
    "ban-drop-not-null",
    "ban-drop-table",
    "changing-column-type",
    "renaming-column",
    "renaming-table",
}

OURS = {
    "whole-table-write": (
        r"^(?!.*\bLIMIT\b)(UPDATE|DELETE FROM|TRUNCATE|INSERT INTO .*\bSELECT\b)",
        "It locks every row until it is committed: do it by pages, each with a LIMIT.",
    ),
    "check-with-column": (
        r"^ALTER TABLE .*\bADD COLUMN\b.*\bCHECK\b",
        "Every row is looked at while nobody reads: add the CHECK by itself, NOT VALID.",
    ),
    "heavy-lock": (
        r"^(LOCK\b|VACUUM FULL|CLUSTER|REFRESH MATERIALIZED VIEW (?!CONCURRENTLY))",
        "Nobody reads or writes meanwhile.",
    ),
    "own-lock-timeout": (
        r"^SET (LOCAL )?lock_timeout",
        "env.py sets one that is shorter than those of requests; leave it.",
    ),
}

# Of squawk's: fine where a CHECK has proven it before, which squawk does not see.
_NOT_NULL_RULE = "adding-not-nullable-field"
_PROOF = re.compile(
    r"ALTER TABLE (\S+) ADD CONSTRAINT (\S+) CHECK \((\S+) IS NOT NULL\) NOT VALID", re.IGNORECASE
)
_VALIDATED = re.compile(r"ALTER TABLE (\S+) VALIDATE CONSTRAINT (\S+)", re.IGNORECASE)
_NOT_NULL = re.compile(r"ALTER TABLE (\S+) ALTER COLUMN (\S+) SET NOT NULL", re.IGNORECASE)


@dataclass
class Step:
    """One migration as PostgreSQL was asked for it: statements, and whether in a transaction.

    `session` is what its connection was set to before.
    """

    revision: str
    accepted: Mapping[str, str] = field(default_factory=dict)
    statements: list[tuple[str, bool]] = field(default_factory=list)
    session: tuple[str, ...] = ()

    @property
    def names_oldest_build(self) -> bool:
        """Whether it says which build is the oldest that works from now on."""
        return any(
            sql.startswith("UPDATE alembic_version SET oldest") for sql, _ in self.statements
        )

    def script(self) -> str:
        """Return it as one would type it."""
        lines, inside = [f"{each};" for each in self.session], False
        for sql, transactional in self.statements:
            if transactional != inside:
                lines.append("BEGIN;" if transactional else "COMMIT;")
                inside = transactional
            lines.append(f"{sql};")
        return "\n".join([*lines, *(["COMMIT;"] if inside else [])])


def run(config: Config) -> list[Step]:
    """Run every migration on the empty database of config; return those after the baseline."""
    command.upgrade(config, BASELINE)
    script = ScriptDirectory.from_config(config)
    with _listening() as heard:
        command.upgrade(config, "head")
    for step in heard:
        step.accepted = getattr(script.get_revision(step.revision).module, "accepted", {})
    return heard


@contextmanager
def _listening() -> Iterator[list[Step]]:
    """Collect what is executed, by the revision that is noted after it."""
    heard: list[Step] = []
    session: list[str] = []
    so_far: list[tuple[str, bool]] = []

    def hear(connection: Any, _: Any, statement: str, *__: Any) -> None:  # noqa: ANN401 - the hook's
        noted = re.match(r"UPDATE alembic_version SET version_num='(\d+)'", statement)
        if noted:
            heard.append(Step(noted[1], {}, so_far[:], tuple(session)))
            so_far.clear()
        elif "pg_try_advisory_lock" in statement:
            session[:] = [sql for sql, _ in so_far]
            so_far.clear()
        elif not re.match(r"\s*(SELECT|WITH)\b", statement):
            level = connection.get_execution_options().get("isolation_level")
            so_far.append((" ".join(statement.split()), level != "AUTOCOMMIT"))

    event.listen(Engine, "before_cursor_execute", hear)
    try:
        yield heard
    finally:
        event.remove(Engine, "before_cursor_execute", hear)


def found(step: Step, before: Sequence[Step] = ()) -> dict[str, str]:
    """Return what stands against a migration: why, by rule; before are those that ran earlier."""
    told = {
        one["rule_name"]: f"line {one['line'] + 1}: {one['message']} {one['help'] or ''}"
        for one in _squawk(step.script())
        if not _MATTERS_OF_TASTE.fullmatch(one["rule_name"])
    }
    proven = _proven(before)
    changed = [_NOT_NULL.match(sql) for sql, _ in step.statements]
    if all(one.groups() in proven for one in changed if one is not None):
        told.pop(_NOT_NULL_RULE, None)
    for sql, transactional in step.statements:
        for rule, (pattern, why) in OURS.items():
            by_us = sql.startswith("UPDATE alembic_version") or (
                rule == "own-lock-timeout" and not transactional
            )
            if re.search(pattern, sql, re.IGNORECASE) and not by_us:
                told[rule] = f"{why} ({sql})"
    return told


def refused(step: Step, before: Sequence[Step] = ()) -> list[str]:
    """Return why a migration may not be: what it does, and what it accepts in vain."""
    against = found(step, before)
    reasons = [f"{rule}: {why}" for rule, why in against.items() if rule not in step.accepted]
    for rule, reason in step.accepted.items():
        if rule not in against or not reason.strip():
            reasons.append(f"{rule} is accepted, and there is none, or no reason is given")
    contracts = sorted(CONTRACTS & {*against} | _binding(step))
    if contracts and not step.names_oldest_build:
        reasons.append(f"{contracts[0]} without online.needs_build_of(…): older builds would run")
    return reasons


def _binding(step: Step) -> set[str]:
    """Return by what a migration binds all who write to a table that was there before."""
    statements = [sql for sql, _ in step.statements]
    made = {found[1] for sql in statements if (found := _MADE.match(sql))}
    binds = (found for sql in statements if (found := _BINDS.match(sql)))
    return {found[0] for found in binds if (found[1] or found[2]) not in made}


def _proven(steps: Sequence[Step]) -> set[tuple[str, ...]]:
    """Return the (table, column) pairs of which a validated CHECK says that they are NOT NULL."""
    checks: dict[tuple[str, str], str] = {}
    proven: set[tuple[str, ...]] = set()
    for sql, _ in (statement for step in steps for statement in step.statements):
        if made := _PROOF.match(sql):
            checks[made[1], made[2]] = made[3]
        if (done := _VALIDATED.match(sql)) and done.groups() in checks:
            proven.add((done[1], checks[done[1], done[2]]))
    return proven


def _squawk(script: str) -> list[dict[str, Any]]:
    """Return what squawk has to say; PostgreSQL 14 is the oldest that Orderly runs on."""
    program = shutil.which("squawk", path=str(Path(sys.executable).parent))
    assert program is not None, "squawk is not installed: python3 dev.py test installs it"
    done = subprocess.run(
        [program, "--pg-version=14", "--reporter=json"],
        input=script,
        capture_output=True,
        text=True,
        check=False,
    )
    told: list[dict[str, Any]] = json.loads(done.stdout)
    return told
