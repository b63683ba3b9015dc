"""The base image where no registry can be reached: one like it, from debootstrap and a CPython.

It has what python:*-slim has, and lacks what that lacks: tests, bytecode, documentation.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

from deploy.image.report import ImageError
from deploy.image.store import BASE, Store, require_programs

_PACKAGES = (
    *("ca-certificates", "libbz2-1.0", "libexpat1", "libffi8", "liblzma5", "libncursesw6"),
    *("libreadline8", "libsqlite3-0", "libssl3", "libuuid1", "netbase", "tzdata", "zlib1g"),
)
_PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
_NOT_IN_A_SLIM_DEBIAN = (
    *("usr/share/doc", "usr/share/info", "usr/share/locale", "usr/share/man"),
    *("var/cache/apt", "var/lib/apt/lists", "var/log"),
)


def provide_base(store: Store, prefix: Path | None) -> bool:
    """Have the base image in store: the published one, or one made from prefix.

    Returns whether it was made. Raises ImageError when it can neither be pulled nor made.
    """
    if prefix is None:
        try:
            store.buildah("pull", "--quiet", BASE)
        except ImageError as error:
            raise ImageError(
                f"{BASE} cannot be pulled: make one like it with --base-from PREFIX, the "
                f"installation of a CPython 3.13 (and debootstrap). {error}"
            ) from error
        return False
    if not store.has(BASE):
        _make(store, prefix)
    return True


def _make(store: Store, prefix: Path) -> None:
    require_programs("debootstrap")
    if not (prefix / "bin/python3.13").exists():
        raise ImageError(f"{prefix} holds no bin/python3.13.")
    with tempfile.TemporaryDirectory(prefix="orderly-base-") as folder:
        root = Path(folder) / "root"
        _run(
            *("debootstrap", "--variant=minbase", f"--include={','.join(_PACKAGES)}"),
            *("bookworm", root),
        )
        for name in _NOT_IN_A_SLIM_DEBIAN:
            shutil.rmtree(root / name)
            (root / name).mkdir()
        _copy_python(prefix, root / "usr/local")
        _run("chroot", root, "ldconfig")
        container = store.buildah("from", "scratch")
        store.buildah("add", "--quiet", container, root, "/")
        store.buildah("config", f"--env=PATH={_PATH}", "--env=LANG=C.UTF-8", container)
        store.buildah("commit", "--quiet", "--format=docker", container, BASE)
        store.buildah("rm", container)


def _copy_python(prefix: Path, local: Path) -> None:
    """Copy an installation as the published image has it: neither tests nor bytecode."""
    unwanted = shutil.ignore_patterns("__pycache__", "test", "tests", "idle_test", "libpython*.a")
    shutil.copytree(prefix / "bin", local / "bin", symlinks=True, dirs_exist_ok=True)
    library = local / "lib/python3.13"
    shutil.copytree(prefix / "lib/python3.13", library, symlinks=True, ignore=unwanted)
    # What else was installed there is nobody's here.
    for path in (library / "site-packages").iterdir():
        if not path.name.startswith("pip"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in (prefix / "lib").glob("libpython3*.so*"):
        shutil.copy2(path, local / "lib", follow_symlinks=False)
    for path in (local / "bin").iterdir():
        # Scripts name the interpreter by the place it came from.
        if path.is_file() and (text := path.read_bytes()).startswith(b"#!"):
            first, _, rest = text.partition(b"\n")
            if b"python" in first:
                path.write_bytes(b"#!/usr/local/bin/python3.13\n" + rest)


def _run(*words: str | Path) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ImageError(f"{words[0]} failed:\n{(done.stdout + done.stderr)[-1000:]}")
