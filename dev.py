#!/usr/bin/env python3
"""One command to run Orderly, one to test it: makes .venv from the locks, then starts the word.

Needs nothing but Python 3.11 or newer. Uses uv when it is on PATH, and pip otherwise.
"""

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

if sys.version_info < (3, 11):
    found = ".".join(str(part) for part in sys.version_info[:3])
    sys.exit(f"Orderly needs Python 3.11 or newer; this is {found}. Try: python3.13 dev.py")

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
WINDOWS = sys.platform == "win32"
PYTHON = VENV / ("Scripts/python.exe" if WINDOWS else "bin/python")
RUN_LOCK = ROOT / "requirements.lock"
OTEL_LOCK = ROOT / "requirements-otel.lock"
DEV_LOCK = ROOT / "requirements-dev.lock"
BENCH_LOCK = ROOT / "requirements-bench.lock"
# Each holds all of those before it.
LOCKS = (RUN_LOCK, OTEL_LOCK, DEV_LOCK, BENCH_LOCK)

# Words that start a server, and the variables of OpenTelemetry's that have it send spans.
SERVERS = ("serve", "demo")
ASKS_FOR_SPANS = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_TRACES_EXPORTER",
)

HELP = """\
Usage: python3 dev.py WORD [ARGUMENTS]

  run      start Orderly (the same as: serve)
  demo     play a lively shop for a few minutes, and tell what to look at
  doctor   look whether Orderly can do its work here, and tell what to do
  test     run the tests; arguments go to pytest, such as --every-postgres
  faults   attack both deployments for --minutes N --seed S, then check what survived
  lint     check format, lint, types and the import rules
  check    lint, then test
  bench    measure Orderly beside its peers on this machine (Linux); --quick takes three minutes
  image    build the container image and try it (Linux, root, buildah, crun)
  format   format the code and fix what can be fixed
  lock     make requirements*.lock again; --upgrade takes newer versions
  new-module NAME   copy examples/add_a_module into the house under a name of its own

Any other word goes to the program, as in python3 dev.py verify; docs/command-line.md has them all.
The first call sets up .venv.
"""

# No code of a package runs while it is installed, but for a pure one that has no wheel.
WHEELS_ONLY = ("--only-binary", ":all:", "--no-binary", "forbiddenfruit")

LINTERS = (
    ("-m", "ruff", "format", "--check", "."),
    ("-m", "ruff", "check", "."),
    ("-m", "mypy"),
    # import-linter has no __main__, and scripts break when a checkout moves.
    ("-c", "from importlinter.cli import lint_imports_command as main; main()"),
)


class SetupError(Exception):
    """The virtual environment could not be made; the text says what to do."""


def venv_python_version() -> str | None:
    """Version of the Python in .venv, or None when there is none that runs and is new enough."""
    question = "import sys; v = sys.version_info[:3]; print(*v); sys.exit(v < (3, 11))"
    try:
        answer = subprocess.run(
            [PYTHON, "-c", question], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return answer.stdout.strip()


def make_venv() -> str:
    """Make .venv afresh, without pip, and return the version of its Python."""
    # ensurepip is left out here: Debian ships it apart, and with uv it is not needed.
    made = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", "--without-pip", VENV], check=False
    )
    version = venv_python_version()
    if made.returncode or version is None:
        raise SetupError(f"Could not make {VENV.name}. {venv_hint()}")
    return version


def venv_hint() -> str:
    """One line for a Python whose distribution ships venv and ensurepip apart."""
    return (
        "This Python has no venv or ensurepip: on Debian and Ubuntu run "
        "`apt install python3-venv`, or put uv on PATH."
    )


def installer() -> list[str]:
    """Command that installs into .venv: uv from PATH, else the venv's own pip."""
    uv = shutil.which("uv")
    if uv:
        return [uv, "pip", "install", "--quiet", "--python", str(PYTHON)]
    pip = [str(PYTHON), "-m", "pip"]
    if subprocess.run([*pip, "--version"], capture_output=True, check=False).returncode:
        made = subprocess.run(
            [PYTHON, "-m", "ensurepip"], capture_output=True, text=True, check=False
        )
        if made.returncode:
            raise SetupError(f"Could not put pip into {VENV.name}. {venv_hint()}")
    return [*pip, "install", "-qq", "--disable-pip-version-check", "--no-input"]


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Hold off a second dev.py, started in another terminal, while .venv changes."""
    if WINDOWS:
        yield
        return
    import fcntl  # noqa: PLC0415  # Windows has none

    # The folder itself is the lock, so no file is left behind.
    folder = os.open(ROOT, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def install(lock: Path) -> None:
    """Bring .venv up to lock, unless its stamp says that it is; never removes a package."""
    with one_at_a_time():
        version = venv_python_version()
        # A stamp is of the lock and of the Python that the packages were installed for.
        if version and stamp(lock).is_file() and stamp(lock).read_text() == seal(lock, version):
            return
        print(f"setting up {VENV.name} (once)", file=sys.stderr, flush=True)
        version = version or make_venv()
        # Gone first: an install that is broken off must not look finished. The other locks'
        # stamps go too, because this install may move packages that they vouch for.
        for old in map(stamp, LOCKS):
            old.unlink(missing_ok=True)
        what = ["--require-hashes", *WHEELS_ONLY, "-r", lock.name]
        done = subprocess.run([*installer(), *what], cwd=ROOT, check=False)
        if done.returncode:
            raise SetupError(f"Could not install {lock.name}; the lines above say why.")
        for vouched in LOCKS[: LOCKS.index(lock) + 1]:
            stamp(vouched).write_text(seal(vouched, version))


def stamp(lock: Path) -> Path:
    """File that says which content of lock is installed."""
    return VENV / f".{lock.stem}.stamp"


def seal(lock: Path, version: str) -> str:
    """Return what a stamp holds when lock is installed for this version of Python."""
    return hashlib.sha256(lock.read_bytes() + version.encode()).hexdigest()


def become(*arguments: str) -> int:
    """Turn into .venv's Python with these arguments, so that signals reach it directly."""
    # From wherever it is called, it finds the same code, the same .env and the same data.
    os.chdir(ROOT)
    command = [str(PYTHON), *arguments]
    if not WINDOWS:
        os.execv(command[0], command)
    # Windows has no exec that keeps the console waiting.
    return subprocess.run(command, check=False).returncode


def python(*arguments: str) -> int:
    """Run .venv's Python to its end, from the root, and return its exit code."""
    return subprocess.run([PYTHON, *arguments], cwd=ROOT, check=False).returncode


def lint() -> int:
    """Run every checker, so that one run shows all there is to mend."""
    install(DEV_LOCK)
    codes = [python(*linter) for linter in LINTERS]
    return next((code for code in codes if code), 0)


def test(arguments: list[str]) -> int:
    """Run pytest in place of this process."""
    need_servers()
    install(DEV_LOCK)
    return become("-m", "pytest", *arguments)


def faults(arguments: list[str]) -> int:
    """Run the long form of the fault tests in place of this process."""
    need_servers()
    install(DEV_LOCK)
    return become("-m", "tests.faults", *arguments)


def bench(arguments: list[str]) -> int:
    """Run the bench in place of this process."""
    if not sys.platform.startswith("linux"):
        raise SetupError("The bench reads the CPU time of processes from /proc: run it on Linux.")
    install(BENCH_LOCK)
    return become("-m", "bench", *arguments)


def image(arguments: list[str]) -> int:
    """Build the image and try it in place of this process."""
    install(DEV_LOCK)
    return become("-m", "deploy.image", *arguments)


def new_module(arguments: list[str]) -> int:
    """Copy the example module under another name."""
    install(DEV_LOCK)
    return python("examples/add_a_module/copy_module.py", *arguments)


def check(arguments: list[str]) -> int:
    """Lint, then test; no tests while the linters complain."""
    return lint() or test(arguments)


def format_code() -> int:
    """Format first, then fix: a fix is formatted again."""
    install(DEV_LOCK)
    left = python("-m", "ruff", "check", "--fix", ".")
    return python("-m", "ruff", "format", ".") or left


def lock(arguments: list[str]) -> int:
    """Make the locks again from pyproject.toml; each agrees with those it holds."""
    uv = shutil.which("uv")
    if uv is None:
        install(DEV_LOCK)
    compiler = [
        *([uv] if uv else [str(PYTHON), "-m", "uv"]),
        *("pip", "compile", "--quiet", "--universal", "--python-version", "3.11"),
        *("--generate-hashes", *WHEELS_ONLY),
        *("--custom-compile-command", "python3 dev.py lock", *arguments, "pyproject.toml"),
    ]
    for extra in (
        ["-o", RUN_LOCK.name],
        ["-o", DEV_LOCK.name, "--group", "dev", "-c", RUN_LOCK.name],
        ["-o", OTEL_LOCK.name, "--extra", "otel", "-c", DEV_LOCK.name],
        ["-o", BENCH_LOCK.name, "--group", "dev", "--group", "bench", "-c", DEV_LOCK.name],
    ):
        done = subprocess.run([*compiler, *extra], cwd=ROOT, stdout=subprocess.DEVNULL, check=False)
        if done.returncode:
            return done.returncode
    for made in LOCKS:
        # Whoever installs chooses the index, so no address belongs in a lock.
        if "://" in made.read_text():
            raise SetupError(f"{made.name} holds an address; do not commit it.")
    return 0


def program(word: str, arguments: list[str]) -> int:
    """Hand the word to Orderly's own command line."""
    if word in SERVERS:
        need_servers()
    # What sends spans is no part of the rest.
    spans = word in SERVERS and any(os.environ.get(name) for name in ASKS_FOR_SPANS)
    install(OTEL_LOCK if spans else RUN_LOCK)
    return become("-m", "app", word, *arguments)


def need_servers() -> None:
    """On Windows, ask for both servers: the embedded stream engine does not run there."""
    if not WINDOWS:
        return
    dotenv = ROOT / ".env"
    lines = dotenv.read_text().splitlines() if dotenv.is_file() else []
    known = {line.split("=")[0].strip() for line in lines} | set(os.environ)
    if not {"DATABASE_URL", "REDIS_URL"} <= known:
        raise SetupError(
            "On Windows Orderly needs DATABASE_URL and REDIS_URL, or run it inside WSL."
        )


def main(arguments: list[str]) -> int:
    """Do what the first word says and return the exit code."""
    word, *rest = arguments or ["--help"]
    if word in {"-h", "--help", "help"}:
        print(HELP, end="")
        return 0
    words: dict[str, Callable[[], int]] = {
        "run": lambda: program("serve", rest),
        "test": lambda: test(rest),
        "faults": lambda: faults(rest),
        "lint": lint,
        "check": lambda: check(rest),
        "bench": lambda: bench(rest),
        "image": lambda: image(rest),
        "format": format_code,
        "new-module": lambda: new_module(rest),
        "lock": lambda: lock(rest),
    }
    return words.get(word, lambda: program(word, rest))()


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except SetupError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
