"""`python3 dev.py image`: build the image, look into it, and try it as it will be used.

Linux, as root, with buildah, crun and iproute2; the base image from its registry, or one like it
from debootstrap and --base-from, the installation of a CPython 3.13.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from deploy.image.base import provide_base
from deploy.image.contents import look_into
from deploy.image.report import ImageError, Report
from deploy.image.store import IMAGE, ROOT, Store, require_programs


def main() -> int:
    """Return 0 when every finding is good, 1 when one is not, 2 when nothing could be tried."""
    asked = argparse.ArgumentParser(prog="dev.py image", description=__doc__)
    asked.add_argument(
        "--base-from",
        type=Path,
        metavar="PREFIX",
        default=os.environ.get("IMAGE_BASE_FROM"),
        help="make the base image from this CPython (or IMAGE_BASE_FROM)",
    )
    asked.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="keep images there, for the next time"
    )
    asked.add_argument("--quick", action="store_true", help="build once, and not a second time")
    given = asked.parse_args()
    if sys.platform != "linux" or os.geteuid() != 0:
        sys.stderr.write("dev.py image: needs Linux and root, for mounts and namespaces.\n")
        return 2
    # However it is told to stop, what it started ends with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        require_programs("buildah", "crun", "ip", "unshare", "curl")
        with tempfile.TemporaryDirectory(prefix="orderly-image-") as temporary:
            home = Path(temporary)
            # PostgreSQL's user goes through it.
            home.chmod(0o711)
            return _tried(home, given.keep or home / "images", given.base_from, quick=given.quick)
    except ImageError as error:
        sys.stderr.write(f"dev.py image: {error}\n")
        return 2


def _tried(home: Path, images: Path, prefix: Path | None, *, quick: bool) -> int:
    report = Report()
    images.mkdir(parents=True, exist_ok=True)
    store = Store(images.resolve(), _context(home / "context"))
    with report.part("The image"):
        made = provide_base(store, prefix)
        began = time.monotonic()
        store.build(IMAGE, fresh=False, own_base=made)
        report.figure("built in", f"{time.monotonic() - began:.0f} s")
        if not quick:
            again = f"{IMAGE}:again"
            store.build(again, fresh=True, own_base=made)
            layers = (store.layers(IMAGE), store.layers(again))
            report.check("built again, it is the same to the bit", layers[0] == layers[1], layers)
        look_into(store, IMAGE, report)
    if not report.failed:
        with store.mounted(IMAGE) as root:
            report.failed += _try(store, root, home)
    sys.stdout.write(f"\n{report.failed} findings are bad\n")
    return 1 if report.failed else 0


def _context(folder: Path) -> Path:
    """Copy the checkout, so that both builds see the same one, whoever works on it meanwhile."""
    unwanted = shutil.ignore_patterns(".git", ".venv", "var", ".*_cache", "__pycache__")
    shutil.copytree(ROOT, folder, ignore=unwanted, symlinks=True)
    return folder


def _try(store: Store, root: Path, home: Path) -> int:
    """Try it in namespaces that end, with all that runs in them, when this process does."""
    config = home / "config.json"
    config.write_text(json.dumps(store.inspect(IMAGE)["Docker"]["config"]))
    alone = ("unshare", "--mount", "--net", "--pid", "--mount-proc", "--fork", "--kill-child")
    words = [sys.executable, "-m", "deploy.image.trial", str(root), str(config), str(home)]
    return subprocess.run([*alone, *words], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
