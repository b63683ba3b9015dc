"""`dead-letters`, `replay`, `fill` and `unregister` against the application on a real port."""

import json
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import anyio
import pytest
import uvicorn
from structlog.testing import capture_logs
from typer.testing import CliRunner, Result

from app import db
from app.bus.stream import Stream
from app.cli.commands import commands
from app.main import create_app
from app.settings import Settings
from tests.bus.given_up import LOUD, Ears, dead
from tests.bus.sample import Rang
from tests.least_privilege import own_prefix
from tests.valkey import ValkeyServer
from tests.web.sample import Process


@contextmanager
def serving(file: Path, ears: Ears, engine: str, *events: Rang) -> Iterator[str]:
    """Serve the application, whose one subscriber gave events up; yields its URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    database = db.sqlite(file)
    settings = Settings.model_validate({})
    app = create_app(settings)
    process = Process(settings=settings, database=database, subscribers=[ears.subscriber])
    app.state.runtime = process
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None))
    ready = threading.Event()

    async def serve() -> None:
        process.stream = Stream(engine, prefix=own_prefix())
        await dead(database, ears, *events)
        ready.set()
        await server.serve([listener])
        await process.stream.close()
        await database.close()

    thread = threading.Thread(target=anyio.run, args=(serve,))
    thread.start()
    try:
        assert ready.wait(20)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)


Run = Callable[..., Result]


@pytest.fixture
def ears() -> Ears:
    return Ears()


@pytest.fixture
def letters() -> list[Rang]:
    return [Rang(bell="a", volume=LOUD) for _ in range(3)]


@pytest.fixture
def run(
    sqlite_template: Path, tmp_path: Path, ears: Ears, letters: list[Rang], valkey: ValkeyServer
) -> Iterator[Run]:
    """Return a function that runs a command against a server with three dead letters."""
    file = Path(shutil.copy(sqlite_template, tmp_path / "orderly.db"))
    # The server would log into the output of the commands.
    with capture_logs(), serving(file, ears, valkey.url, *letters) as url:

        def invoke(*words: str | UUID) -> Result:
            line = [*map(str, words), "--url", url]
            return CliRunner().invoke(commands(), line, env={"COLUMNS": "160"})

        yield invoke


def test_dead_letters_are_listed_and_shown(run: Run, letters: list[Rang]) -> None:
    groups = run("dead-letters", "list", "--subscriber", "ears")
    each = run("dead-letters", "list", "--each", "--limit", "2")
    none = run("dead-letters", "list", "--error", "ValueError")
    shown = run("dead-letters", "show", "ears", letters[0].id)
    told = run("dead-letters", "show", "ears", letters[0].id, "--json")

    assert groups.output.splitlines()[1].split()[:4] == ["ears", Rang.type, "PermanentError", "3"]
    assert str(letters[2].id) in each.output
    assert "There are more" in each.output
    assert none.output == "Nothing is dead.\n"
    assert "PermanentError: too loud: 11" in shown.output
    assert '"volume": 11' in shown.output
    assert json.loads(told.output)["envelope"]["data"]["volume"] == LOUD


def test_one_is_tried_mended_and_redriven(run: Run, letters: list[Rang], tmp_path: Path) -> None:
    event_id = letters[0].id
    mended = tmp_path / "data.json"
    mended.write_text('{"bell": "a", "volume": 3}')
    one = ("dead-letters", "redrive", "ears", event_id)

    dry = run(*one, "--dry-run", "--data", mended)
    again = run(*one)
    done = run(*one, "--data", mended)
    gone = run(*one)

    assert (dry.exit_code, again.exit_code, done.exit_code, gone.exit_code) == (0, 1, 0, 1)
    assert "would be handled" in dry.output
    assert 'would publish ears.bell_heard.v1 {"bell": "a"}' in dry.output
    assert again.output == "dead: PermanentError: too loud: 11\n"
    assert done.output == "handled\n"
    assert gone.output == f"ears has no dead letter {event_id}.\n"


def test_one_is_mended_in_an_editor(
    run: Run, letters: list[Rang], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = ("dead-letters", "redrive", "ears", letters[0].id, "--edit")
    mends, spoils = tmp_path / "mends", tmp_path / "spoils"
    mends.write_text('#!/bin/sh\nsed -i.bak s/11/3/ "$1"\n')
    spoils.write_text('#!/bin/sh\necho , >> "$1"\n')
    results = []
    for editor in ("true", "nowhere/to/be/found", f"sh {spoils}", f"sh {mends}"):
        monkeypatch.setenv("VISUAL", editor)
        results.append(run(*one))
    unchanged, missing, spoilt, mended = results

    assert [result.exit_code for result in results] == [2, 2, 2, 0]
    assert unchanged.output == "Nothing was changed in the editor, so nothing was sent.\n"
    assert "cannot be started: set EDITOR" in missing.output
    assert "is not JSON" in spoilt.output
    assert mended.output == "handled\n"


def test_many_are_redriven_and_one_is_discarded(run: Run, letters: list[Rang]) -> None:
    discarded = run("dead-letters", "discard", "ears", letters[0].id, "--reason", "sold")
    counted = run("dead-letters", "redrive", "--all", "--dry-run")
    started = run("dead-letters", "redrive", "--all", "--type", Rang.type)
    due = run("dead-letters", "list", "--state", "due")

    assert discarded.output == f"{letters[0].id} is discarded for ears.\n"
    assert counted.output == "2 would be made due; nothing was changed.\n"
    assert started.output.startswith("2 are due now; see /v1/ops/actions/")
    assert "PermanentError" in due.output


def test_many_that_do_not_come_to_an_end_are_told(run: Run, letters: list[Rang]) -> None:
    # No loop runs here: what is due stays due.
    told = run("dead-letters", "redrive", "--all", "--wait", "--timeout", "0.1")
    as_json = run("replay", "ears", "--from-position", "0", "--wait", "--json")

    assert told.exit_code == 1
    assert told.output.startswith("0 of 3 are handled; 3 due, 0 dead, 0 discarded.")
    assert all(str(letter.id) in told.output for letter in letters)
    assert (as_json.exit_code, json.loads(as_json.stdout)["total"]) == (0, 0)


def test_history_is_replayed_and_filled(run: Run) -> None:
    replayed = run("replay", "ears", "--from-position", "0")
    filled = run("fill", "ears")
    nobody = run("fill", "nobody")

    assert replayed.output.startswith("0 are due now")
    assert filled.output.startswith("0 are due now")
    assert (nobody.exit_code, nobody.output) == (1, "No subscriber is called nobody.\n")


def test_a_subscriber_is_unregistered(run: Run) -> None:
    refused = run("unregister", "ears")
    done = run("unregister", "ears", "--discard")
    gone = run("unregister", "ears")

    assert (refused.exit_code, done.exit_code, gone.exit_code) == (1, 0, 1)
    assert refused.output.startswith("ears has 3 dead letters")
    assert done.output == "ears is unregistered; dropped with it: 0 due, 3 dead letters.\n"
    assert gone.output == "No subscriber is called ears.\n"


def test_what_cannot_be_used_is_one_sentence(run: Run, tmp_path: Path) -> None:
    results = {
        "say --all": run("dead-letters", "redrive"),
        "leave --all": run("dead-letters", "redrive", "ears", "x", "--all"),
        "cannot be read": run("dead-letters", "redrive", "ears", "x", "--data", tmp_path / "none"),
        "either --from-time or --from-position": run("replay", "ears"),
    }

    for sentence, result in results.items():
        assert result.exit_code == 2
        assert sentence in result.output
        assert result.output.count("\n") == 1
