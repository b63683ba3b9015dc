"""What is in the image, and what is not: its configuration, history, files and size."""

import gzip
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deploy.image.report import Report
from deploy.image.store import BASE, Store

USER = 10001
_SECRET = re.compile(r"password|secret|token|api_?key|credential|://[^/\s]+@", re.IGNORECASE)
_INSTALLERS = {"pip", "pip3", "uv", "ensurepip", "setuptools", "easy_install"}
_COMPILERS = {"cc", "gcc", "g++", "clang", "ld", "as", "make", "strip"}


def look_into(store: Store, image: str, report: Report) -> None:
    """Report what can be seen without running the image."""
    found = store.inspect(image)
    _configuration(found["Docker"]["config"], report)
    told = [str(each.get("created_by", "")) for each in found["OCIv1"]["history"]]
    told += found["Docker"]["config"]["Env"]
    named = [text for text in told if _SECRET.search(text)]
    report.check("no secret in its history or its environment", not named, named)
    with store.mounted(image) as root, store.mounted(BASE) as base:
        _files(root, base, report)
    _sizes(store, image, report)


def _configuration(config: dict[str, Any], report: Report) -> None:
    user = config["User"]
    report.check(f"it runs as user {USER}, by number", user == f"{USER}:{USER}", user)
    words = [config["Entrypoint"], config["Cmd"]]
    report.check(
        "its command is in the exec form",
        words == [["python", "-m", "app"], ["serve"]],
        words,
    )
    health = config.get("Healthcheck", {}).get("Test", [])
    report.check("it has a HEALTHCHECK in the exec form", health[:1] == ["CMD"], health)
    report.check("it is stopped by SIGTERM", config.get("StopSignal") == "SIGTERM", config)
    report.check("/data is a volume", list(config.get("Volumes") or ()) == ["/data"], config)
    report.check("it exposes port 8000", list(config["ExposedPorts"]) == ["8000/tcp"], config)


def _files(root: Path, base: Path, report: Report) -> None:
    everything = list(_walk(root))
    of_base = {path.relative_to(base) for path in _walk(base)}
    ours = [path for path in everything if path.relative_to(root) not in of_base]
    installers = [path for path in everything if path.name in _INSTALLERS]
    report.check("nothing in it installs packages", not installers, installers[:5])
    compilers = [
        path for path in everything if path.name in _COMPILERS and os.access(path, os.X_OK)
    ]
    compilers = [path for path in compilers if path.is_file() and path.parent.name == "bin"]
    report.check("nothing in it compiles", not compilers, compilers[:5])
    tests = [path for path in ours if path.name in {"tests", "conftest.py", ".git", "var", ".env"}]
    report.check("no tests and nothing of a checkout's in it", not tests, tests[:5])
    _rights(root, ours, report)
    program = [path for path in ours if path.is_relative_to(root / "opt")]
    sources = [path for path in program if path.suffix == ".py" and path.name != "healthcheck.py"]
    bare = [
        path
        for path in sources
        if not any((path.parent / "__pycache__").glob(f"{path.stem}.cpython-*.pyc"))
    ]
    # Templates of code, which is none until it is filled in.
    bare = [path for path in bare if "templates" not in path.parts]
    report.check("bytecode lies beside each source", not bare, bare[:5])


def _rights(root: Path, ours: list[Path], report: Report) -> None:
    """Look for files that a process that was taken over could change."""
    data = root / "data"
    held = data.stat()
    report.check("/data is its user's alone", held.st_uid == USER and not held.st_mode & 0o007)
    changeable, unreadable, raised = [], [], []
    for path in ours:
        seen = path.lstat()
        if path == data or stat.S_ISLNK(seen.st_mode):
            continue
        if USER in {seen.st_uid, seen.st_gid} or seen.st_mode & 0o002:
            changeable.append(path)
        if seen.st_mode & 0o004 == 0:
            unreadable.append(path)
        if seen.st_mode & (stat.S_ISUID | stat.S_ISGID):
            raised.append(path)
    report.check("its user can change no file of it", not changeable, changeable[:5])
    report.check("its user can read every file of it", not unreadable, unreadable[:5])
    report.check("no file of ours raises rights", not raised, raised[:5])


def _sizes(store: Store, image: str, report: Report) -> None:
    below = len(store.layers(BASE))
    with tempfile.TemporaryDirectory(prefix="orderly-oci-") as folder:
        layers = [
            (packed, len(gzip.decompress(path.read_bytes())))
            for packed, path in store.exported(image, Path(folder))
        ]
    for name, part in (("the base", layers[:below]), ("on top of it", layers[below:])):
        packed, unpacked = (sum(each[at] for each in part) / 1e6 for at in (0, 1))
        report.figure(name, f"{unpacked:.0f} MB, {packed:.0f} MB to transfer, {len(part)} layers")
    # What a stranger expects of "small"; a slip such as a second copy of the packages is more.
    ours = sum(size for _, size in layers[below:]) / 1e6
    report.check("what it adds to the base stays below 120 MB", ours < 120, f"{ours:.0f} MB")


def _walk(root: Path) -> Iterator[Path]:
    """Yield every path below a folder, links not followed."""
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            yield Path(folder) / name
