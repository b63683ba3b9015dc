"""The Dockerfile: what goes into the image, and how it runs. `dev.py image` builds and tries it."""

import faulthandler
import fnmatch
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.settings import Settings, variable_of
from deploy.image import healthcheck
from tests.starter import clean_environment

ROOT = Path(__file__).parents[1]
LONG = bool(os.environ.get("TEST_LONG"))


def instructions() -> list[tuple[str, str]]:
    """Return each instruction of the Dockerfile with its words, lines joined."""
    lines = [
        line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.startswith("#")
    ]
    whole = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in whole.split("\n"))]


def last_stage() -> list[tuple[str, str]]:
    """Return the instructions of the stage that is the image."""
    found = instructions()
    begins = max(at for at, (name, _) in enumerate(found) if name == "FROM")
    return [each for each in found[begins:] if each[0]]


def the(name: str) -> str:
    """Return the words of the one instruction of this name in the last stage."""
    (words,) = (rest for each, rest in last_stage() if each == name)
    return words


def copied() -> Iterator[str]:
    """Yield every path that is copied out of the checkout, with the lock's default filled in."""
    for name, words in instructions():
        if name == "COPY" and not words.startswith("--from"):
            *sources, _ = words.split()
            for source in sources:
                yield source.replace("${LOCK}", "requirements.lock")


def admitted(path: str) -> bool:
    """Tell whether .dockerignore lets a path into the build: the last pattern that fits decides.

    A pattern fits what lies below it too.
    """
    inside = True
    parts = path.split("/")
    above = ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!").strip()
        if not pattern or line.startswith("#"):
            continue
        if any(fits(each, pattern) for each in above):
            inside = line.startswith("!")
    return inside


def fits(path: str, pattern: str) -> bool:
    """Match as Docker does: a star stays within one folder, two and a slash are any folders."""
    if pattern.startswith("**/"):
        return fnmatch.fnmatch(path.rpartition("/")[2], pattern.removeprefix("**/"))
    return path.count("/") == pattern.count("/") and fnmatch.fnmatch(path, pattern)


def test_everything_that_is_copied_is_there_and_let_in() -> None:
    found = list(copied())

    assert "app" in found
    for path in found:
        assert (ROOT / path).exists(), path
        assert admitted(path), path


def test_the_lock_that_sends_traces_is_let_in_too() -> None:
    assert "--build-arg LOCK=requirements-otel.lock" in (ROOT / "Dockerfile").read_text()
    assert (ROOT / "requirements-otel.lock").exists()
    assert admitted("requirements-otel.lock")


@pytest.mark.parametrize(
    "path",
    [
        *(".env", ".git/config", ".venv/bin/python", "var/orderly.db", "README.md", "dev.py"),
        *("tests/test_image.py", "bench/__main__.py", "docs/container.md", "requirements-dev.lock"),
        *("deploy/postgres/roles.sql", "deploy/image/store.py", "deploy/image/__main__.py"),
        *("app/__pycache__/main.cpython-313.pyc", "app/bus/__pycache__/event.cpython-313.pyc"),
        *("app/main.pyc", "var/stream/appendonly.aof", "pyproject.toml"),
    ],
)
def test_nothing_else_is_sent_to_the_build(path: str) -> None:
    assert not admitted(path)


def test_the_program_is_let_in_whole() -> None:
    for path in (ROOT / "app").rglob("*"):
        if path.is_file() and path.suffix != ".pyc":
            assert admitted(str(path.relative_to(ROOT))), path


def test_the_user_has_no_rights_and_no_name_to_look_up() -> None:
    assert the("USER") == "10001:10001"
    (set_up,) = (rest for name, rest in last_stage() if name == "RUN")
    assert "--owner=10001 --group=10001 --mode=0750 /data" in set_up
    # What is copied belongs to root.
    assert not any("--chown" in rest for name, rest in last_stage() if name == "COPY")


def test_commands_are_words_and_not_a_shells() -> None:
    assert json.loads(the("ENTRYPOINT")) == ["python", "-m", "app"]
    assert json.loads(the("CMD")) == ["serve"]
    health = json.loads(the("HEALTHCHECK").partition("CMD ")[2])
    assert health == ["python", "-IS", "healthcheck.py"]
    assert Path(healthcheck.__file__).relative_to(ROOT).as_posix() in set(copied())
    assert the("STOPSIGNAL") == "SIGTERM"


def test_what_is_set_in_it_is_what_the_program_reads() -> None:
    given = dict(each.split("=", 1) for each in the("ENV").split())
    known = {variable_of(name) for name in Settings.model_fields} | {"PORT"}

    ours = {name: value for name, value in given.items() if not re.match("PATH|PYTHON", name)}
    assert set(ours) <= known
    settings = Settings.model_validate(
        {name.removeprefix("APP_").lower(): value for name, value in ours.items()}
    )
    assert str(settings.data) == the("VOLUME")
    assert str(settings.port) == the("EXPOSE")
    assert settings.log_format == "json"
    assert settings.embedded
    # It is reached from outside, so it asks for a key.
    assert not settings.loopback


def test_packages_are_those_of_the_lock() -> None:
    (install,) = (rest for name, rest in instructions() if name == "RUN" and "pip --py" in rest)

    assert "--require-hashes --only-binary :all: -r /requirements.lock" in install
    # What is written into a layer that others cache must not depend on when.
    assert "--no-compile" in install
    compiled = [rest for name, rest in instructions() if "compileall" in rest]
    assert len(compiled) == 3
    assert all("--invalidation-mode unchecked-hash" in rest for rest in compiled)


def test_every_stage_comes_from_one_base() -> None:
    (base,) = (rest for name, rest in instructions() if name == "ARG" and rest.startswith("BASE="))

    assert re.fullmatch(r"BASE=python:3\.\d+-slim-bookworm", base)
    assert {rest.partition(" AS ")[0] for name, rest in instructions() if name == "FROM"} == {
        "${BASE}"
    }


def test_the_health_check_is_cheap() -> None:
    code = (
        "import runpy, sys; sys.argv = ['h']\n"
        f"try: runpy.run_path({healthcheck.__file__!r}, run_name='__main__')\n"
        "except SystemExit: pass\n"
        "print([n for n in sys.modules if n in ('app', 'asyncio', 'site', 'pydantic')])"
    )
    done = subprocess.run(
        [sys.executable, "-IS", "-c", code],
        env={"APP_PORT": "9"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.skipif(sys.platform != "linux", reason="containers are Linux's")
def test_the_first_process_of_a_container_ends_when_told_so_while_it_starts(
    tmp_path: Path,
) -> None:
    alone = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child"]
    if shutil.which("unshare") is None or subprocess.run([*alone, "true"], check=False).returncode:
        pytest.skip("this machine grants no namespaces")
    with subprocess.Popen(
        [*alone, sys.executable, "-m", "app", "serve", "--port", "0"],
        cwd=tmp_path,
        env=clean_environment({}),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as outside:
        try:
            first = first_process(outside.pid)
            wait_until_it_listens_for(signal.SIGTERM, first)
            os.kill(first, signal.SIGTERM)

            assert outside.wait(20) == 128 + signal.SIGTERM
        finally:
            outside.kill()
    assert not (tmp_path / "var").exists()


def first_process(outside: int) -> int:
    """Return the process that unshare has forked, once there is one."""
    children = Path(f"/proc/{outside}/task/{outside}/children")
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if found := children.read_text().split():
            return int(found[0])
        time.sleep(0.002)
    raise TimeoutError("unshare has not forked")


def wait_until_it_listens_for(number: signal.Signals, pid: int) -> None:
    """Wait until a process has a handler of its own for a signal."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        status = Path(f"/proc/{pid}/status").read_text()
        caught = re.search(r"^SigCgt:\t(\w+)$", status, flags=re.MULTILINE)
        if caught and int(caught[1], 16) & 1 << (number - 1):
            return
        time.sleep(0.002)
    raise TimeoutError(f"no handler for {number.name}")


@pytest.mark.skipif(not LONG, reason="builds the image: set TEST_LONG=1")
def test_the_image_can_be_built_and_does_what_it_is_for() -> None:
    if shutil.which("buildah") is None or os.geteuid() != 0:
        pytest.skip("needs buildah and root")
    # It takes longer than a test that hangs is given.
    faulthandler.cancel_dump_traceback_later()
    with subprocess.Popen(
        [sys.executable, "-m", "deploy.image"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as begun:
        try:
            said, _ = begun.communicate(timeout=1200)
        finally:
            begun.terminate()

    assert begun.returncode == 0, said
    assert said.endswith("\n0 findings are bad\n")
