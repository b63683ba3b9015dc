"""The embedded engine: a real one, which keeps its data and leaves nothing behind."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from app.bus import embedded
from app.bus.embedded import embedded_engine, running_engine_url
from app.bus.errors import EngineError
from app.bus.stream import Stream
from app.bus.supervise import Supervisor
from tests.bus.sample import until


async def test_what_was_appended_is_there_after_a_restart(tmp_path: Path) -> None:
    for expected in (1, 2):
        async with embedded_engine(tmp_path / "stream") as engine:
            stream = Stream(engine.url)
            await stream.append([("bells", "ding")])
            assert await stream._redis.xlen(stream.key("bells")) == expected
            await stream.close()


async def test_a_data_directory_may_have_a_long_name(tmp_path: Path) -> None:
    directory = tmp_path / ("long-" * 20) / ("name-" * 20)

    async with embedded_engine(directory) as engine:
        stream = Stream(engine.url)
        await stream.ping()
        await stream.close()


async def test_others_find_the_engine_while_it_runs_and_only_then(tmp_path: Path) -> None:
    assert running_engine_url(tmp_path) is None

    async with embedded_engine(tmp_path) as engine:
        assert running_engine_url(tmp_path) == engine.url

    assert running_engine_url(tmp_path) is None


def _orphan(directory: Path) -> None:
    """Start an engine from a process that then dies by kill -9."""
    code = (
        "import anyio, sys, os, signal\n"
        "from pathlib import Path\n"
        "from app.bus.embedded import embedded_engine\n"
        "async def main():\n"
        "    async with embedded_engine(Path(sys.argv[1])):\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "anyio.run(main)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, directory], check=False, timeout=20)
    assert done.returncode == -signal.SIGKILL


async def test_an_engine_dies_with_its_process_and_the_next_start_waits_for_it(
    tmp_path: Path,
) -> None:
    await anyio.to_thread.run_sync(_orphan, tmp_path)
    orphan = json.loads(await anyio.Path(tmp_path / "engine.json").read_text())["pid"]

    async with embedded_engine(tmp_path) as engine:
        stream = Stream(engine.url)
        await stream.ping()
        await stream.close()

        async def gone() -> bool:
            try:
                os.kill(orphan, 0)
            except ProcessLookupError:
                return True
            return False

        await until(gone, timeout_s=5)


@pytest.mark.parametrize("harm", ["kill the engine", "remove the directory"])
async def test_a_process_does_not_outlive_what_it_runs_on(tmp_path: Path, harm: str) -> None:
    directory = tmp_path / "stream"
    async with embedded_engine(directory) as engine:
        supervisor = Supervisor([engine], lambda: None)
        async with anyio.create_task_group() as group:
            group.start_soon(supervisor.run)
            if harm == "kill the engine":
                state = await anyio.Path(directory / "engine.json").read_text()
                os.kill(json.loads(state)["pid"], signal.SIGKILL)
            else:
                shutil.rmtree(directory)
            await supervisor.ended()

        assert isinstance(supervisor.failure, EngineError)


@pytest.mark.parametrize("found", ["{}", "[]", "nonsense", '{"url": "unix:///nowhere/s"}'])
async def test_a_state_file_of_something_else_is_no_engine(tmp_path: Path, found: str) -> None:
    (tmp_path / "engine.json").write_text(found)

    async with embedded_engine(tmp_path) as engine:
        stream = Stream(engine.url)
        await stream.ping()
        await stream.close()


async def test_an_engine_that_cannot_start_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "engine_binary", lambda: "/bin/false")

    with pytest.raises(EngineError, match="did not start"):
        async with embedded_engine(tmp_path):
            pass


def test_no_engine_at_all_is_a_sentence_that_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(embedded, "find_spec", lambda _: None)
    monkeypatch.setattr(shutil, "which", lambda _: None)

    with pytest.raises(EngineError, match="set DATABASE_URL and REDIS_URL"):
        embedded.engine_binary()
