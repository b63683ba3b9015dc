"""What `doctor` makes of this machine: Python, packages, limits, disk, port and clock."""

import platform
import re
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import httpx2

from app.cli.finding import Finding, failed, ok, warning
from app.settings import VERSION, Role, Settings

LOCK = Path(__file__).parents[2] / "requirements.lock"

_LOCKED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^ ;\\]+)([^\\]*)", re.MULTILINE)
_FEW_FILES = 1024
_GIB = 1024**3
_ENOUGH_BYTES = _GIB
_TOO_FEW_BYTES = _GIB // 10
# SQLite's locks and its shared memory do not work over these.
_NETWORKED = {
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "fuse.sshfs",
    "afs",
    "ceph",
    "glusterfs",
}
_FLEETING = {"tmpfs", "ramfs"}
_AHEAD_S = 2.0
_FAR_AHEAD_S = 60.0


def machine() -> Iterator[Finding]:
    """Yield what there is to say of Python and of the limits of this process."""
    yield ok("Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - Windows has none

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < _FEW_FILES:
        remedy = f"Each client takes one: raise it, as by `ulimit -n {min(hard, 65536)}`."
        yield warning("open files", f"{soft} at most", remedy)
    else:
        yield ok("open files", f"{soft} at most")


def packages() -> Iterator[Finding]:
    """Yield whether what is installed is what was locked and tested."""
    if not LOCK.is_file():
        yield ok("packages", f"Orderly {VERSION}; there is no {LOCK.name} to compare with")
        return
    others: list[str] = []
    locked = _LOCKED.findall(LOCK.read_text())
    for name, wanted, marker in locked:
        try:
            found = version(name)
        except PackageNotFoundError:
            # What has a marker need not be here.
            others += [] if ";" in marker else [f"{name} is missing"]
        else:
            others += [] if found == wanted else [f"{name} is {found}, not {wanted}"]
    if others:
        remedy = "Other versions were not tested together: start by `python3 dev.py`."
        yield warning("packages", ", ".join(others), remedy)
    else:
        yield ok("packages", f"Orderly {VERSION}, {len(locked)} packages as in {LOCK.name}")


def storage(directory: Path) -> Iterator[Finding]:
    """Yield whether the data directory can be written, on what it lies, and what is free."""
    there = next(path for path in (directory, *directory.absolute().parents) if path.exists())
    if not there.is_dir() or not _writable(there):
        remedy = f"Give it to the user who runs Orderly, or name another by --data ({there})."
        yield failed("data directory", f"{directory} cannot be written", remedy)
        return
    kind = _file_system(there)
    free = shutil.disk_usage(there).free
    found = f"{directory} on {kind or 'a file system unknown'}, {free / _GIB:.1f} GiB free"
    if kind in _NETWORKED:
        yield failed(
            "data directory",
            found,
            "SQLite needs a local disk: move it, or use PostgreSQL and Redis by their URLs.",
        )
    elif kind in _FLEETING:
        yield warning("data directory", found, "It is gone after a reboot: name another by --data.")
    elif kind == "overlay":
        remedy = "It may be gone with the container: mount a volume there."
        yield warning("data directory", found, remedy)
    elif free < _TOO_FEW_BYTES:
        yield failed("data directory", found, "Make room: a full disk stops every order.")
    elif free < _ENOUGH_BYTES:
        yield warning("data directory", found, "Make room: a full disk stops every order.")
    else:
        yield ok("data directory", found)


def clocks(ahead_s: Mapping[str, float | None]) -> Iterator[Finding]:
    """Yield how far the clocks of the engines are ahead of ours; None where nobody could tell."""
    told = {name: seconds for name, seconds in ahead_s.items() if seconds is not None}
    if not told:
        return
    found = ", ".join(f"{name} {seconds:+.1f} s" for name, seconds in told.items())
    worst = max(map(abs, told.values()))
    remedy = "Times of different machines cannot be compared: let NTP set their clocks."
    if worst > _FAR_AHEAD_S:
        yield failed("clocks", f"{found} against this machine", remedy)
    elif worst > _AHEAD_S:
        yield warning("clocks", f"{found} against this machine", remedy)
    else:
        yield ok("clocks", f"{found} against this machine")


async def port_of(settings: Settings) -> Finding:
    """Return whether the port that `serve` will listen on is free, or who has it."""
    port = settings.port
    if port is None:
        if settings.role is Role.WORKER:
            return ok("port", "a worker takes a free one")
        port = 8000
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        socket.create_server((settings.host, port), family=family).close()
    except OSError as error:
        if await _is_orderly(settings, port):
            return ok("port", f"an Orderly serves on {port} of {settings.host}")
        return failed(
            "port",
            f"{port} on {settings.host} cannot be used ({error.strerror or error})",
            "Stop what holds it, or choose another by --port or APP_PORT.",
        )
    return ok("port", f"{port} on {settings.host} is free")


async def _is_orderly(settings: Settings, port: int) -> bool:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    try:
        async with httpx2.AsyncClient(timeout=1, trust_env=False) as http:
            body = (await http.get(f"http://{host}:{port}/health/ready")).json()
    except (httpx2.HTTPError, ValueError):
        return False
    return isinstance(body, dict) and {"status", "loops", "version"} <= body.keys()


def _writable(directory: Path) -> bool:
    """Tell whether a file can be made there; a read-only mount does not show in its mode."""
    try:
        with tempfile.TemporaryFile(dir=directory):
            return True
    except OSError:
        return False


def _file_system(directory: Path) -> str:
    """Return the kind of file system a directory lies on; "" where the system does not tell."""
    try:
        mounts = Path("/proc/self/mounts").read_text()
    except OSError:
        return ""
    lines = [line.split()[1:3] for line in mounts.splitlines()]
    real = directory.resolve()
    around = [(len(point), kind) for point, kind in lines if real.is_relative_to(point)]
    # The longest one holds it, and of those the one that was mounted last.
    return max(enumerate(around), key=lambda one: (one[1][0], one[0]))[1][1] if around else ""
