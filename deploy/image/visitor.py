"""Somebody who types README's tour at a container, and a shop that orders from one."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import anyio

from deploy.image.container import Container
from deploy.image.report import ImageError
from deploy.image.store import ROOT
from tests.system.orderly import Shop
from tests.system.tour import as_one_script, differences

KEY = "a-key-of-the-trial-0123456789"

# The tour is of a server that is open to its own machine; a container's has a key, which each
# request carries that does not carry another.
_CURL = """#!/bin/sh
case "$*" in
*Authorization:*) exec {curl} --silent "$@" ;;
*) exec {curl} --silent --header "Authorization: Bearer $APP_API_KEY" "$@" ;;
esac
"""
# What needs the data is run where they are.
_DEV = """#!/bin/sh
shift
case "$1" in
load-orders) exec {python} -m app "$@" ;;
*) exec {inside} python -m app "$@" ;;
esac
"""


def take_the_tour(container: Container, folder: Path) -> list[str]:
    """Type README's tour; return the blocks that did not print what README shows."""
    curl = shutil.which("curl")
    if curl is None:
        raise ImageError("The tour needs curl.")
    folder.mkdir()
    programs = {
        "curl": _CURL.format(curl=curl),
        "python3": _DEV.format(
            python=sys.executable,
            inside=" ".join(container.exec_words()),
        ),
    }
    for name, text in programs.items():
        path = folder / name
        path.write_text(text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    script = as_one_script(container.url).replace("examples/", f"{ROOT}/examples/")
    done = subprocess.run(
        ["bash", "-e", "-c", script],
        cwd=folder,
        env={
            "PATH": f"{folder}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "APP_API_KEY": KEY,
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode:
        raise ImageError(f"The tour broke off: {(done.stdout + done.stderr)[-2000:]}")
    # The one difference that a key makes to what is shown.
    return differences(done.stdout.replace('"actor":"key"', '"actor":"open"'))


async def order_until_it_breaks(shop: Shop, lanes: int) -> None:
    """Place orders on so many lanes until the server is gone."""

    async def lane() -> None:
        while True:
            try:
                await shop.order({"LAMP": 1})
            except Exception:  # noqa: BLE001 - however a server that was killed shows
                return

    async with anyio.create_task_group() as group:
        for _ in range(lanes):
            group.start_soon(lane)


def verdict(container: Container) -> tuple[bool, str]:
    """Run verify inside; return whether all held, and its last line."""
    done = container.inside(["python", "-m", "app", "verify"])
    lines = (done.stdout + done.stderr).strip().splitlines() or [""]
    return done.returncode == 0 and lines[-1].startswith("0 violations"), lines[-1]
