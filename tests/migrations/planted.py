"""Migrations of a test's own, run after ours by a real alembic process with our env.py."""

import os
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from app import schema
from tests.starter import ROOT, Started, clean_environment, starter

_FILE = '''"""{title}."""

import time
from pathlib import Path

import sqlalchemy as sa
from alembic import op

from app.migrations import online

revision = "{revision}"
down_revision = "{after}"
{extra}

def upgrade() -> None:
    {body}
'''

_INI = """[alembic]
script_location = {root}/app/migrations
version_locations = {locations}
path_separator = os
"""


def head() -> str:
    """Return the revision of the last migration that is ours."""
    return schema._migrations()[-1].revision


class Run:
    """A process that migrates, and what it has to say."""

    def __init__(self, words: list[str], directory: Path, environment: Mapping[str, str]) -> None:
        output, name = tempfile.mkstemp(dir=directory, suffix=".log")
        self._log = Path(name)
        environment = clean_environment(environment)
        self.process: Started = starter().start(
            words[0], words[1:], directory, environment, (output, output)
        )
        os.close(output)

    def ended(self, timeout_s: float = 60) -> tuple[int, str]:
        """Wait for its end; return the exit code and all it said."""
        try:
            code = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"it goes on: {self.said()}") from None
        return code, self.said()

    def said(self) -> str:
        """Return what it has said so far."""
        return self._log.read_text()


@dataclass
class Planted:
    """A folder of migrations after ours, and the database they are for."""

    folder: Path
    environment: Mapping[str, str]
    revisions: list[str] = field(default_factory=list)

    def add(self, body: str, *, extra: str = "", title: str = "Planted") -> str:
        """Write one more migration and return its revision."""
        after = self.revisions[-1] if self.revisions else head()
        revision = str(9001 + len(self.revisions))
        self.revisions.append(revision)
        text = _FILE.format(
            title=title,
            revision=revision,
            after=after,
            extra=extra,
            body=body.strip().replace("\n", "\n    "),
        )
        (self.folder / f"{revision}_planted.py").write_text(text)
        return revision

    def locations(self) -> str:
        """Return where alembic finds our migrations and these."""
        return f"{ROOT}/app/migrations/versions{os.pathsep}{self.folder}"

    def migrate(self, *options: str) -> Run:
        """Start `alembic upgrade head`, ours and these; options are alembic's."""
        ini = self.folder / "alembic.ini"
        ini.write_text(_INI.format(root=ROOT, locations=self.locations()))
        words = ["alembic", "-c", str(ini), *options, "upgrade", "head"]
        return Run(words, self.folder, self.environment)
