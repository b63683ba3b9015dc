"""Bug 4 of the wild: whatever way an order ends, and wherever a process dies, its stock is free.

Each point by itself, on both databases, is the long form: `python3 dev.py faults --crash-points`.
"""

from pathlib import Path

from app.main import create_app
from app.settings import Settings
from tests.faults.crash_commands import dying_everywhere
from tests.faults.crash_points import on_sqlite


async def test_every_exit_releases_wherever_a_process_dies(
    tmp_path: Path, sqlite_template: Path
) -> None:
    async with on_sqlite(sqlite_template, tmp_path)() as inner:
        deaths, wrong = await dying_everywhere(inner, create_app(Settings.model_validate({})))

    assert wrong == []
    assert deaths > 150
