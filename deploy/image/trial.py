"""The image tried as it will be used: on its own, and as compose.yaml says.

`python -m deploy.image.trial ROOT CONFIG FOLDER`, which __main__.py starts in a network and a
mount namespace of its own: nothing of it is seen from outside, and nothing outlives it.
"""

import json
import subprocess
import sys
from pathlib import Path

import anyio

from deploy.image import composed, embedded
from deploy.image.container import Image, Network
from deploy.image.report import ImageError, Report


def main(root: str, config: str, folder: str) -> int:
    """Try it both ways; return how many findings are bad."""
    # crun keeps its state in /run, and finds no cgroups that it might manage.
    for place in ("/run", "/sys/fs/cgroup"):
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "none", place], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise ImageError(f"mount on {place} failed: {done.stderr.strip()}")
    report = Report()
    image = Image(Path(root), json.loads(Path(config).read_text()))
    home = Path(folder)
    network = Network(home)
    anyio.run(embedded.tried, image, network, home / "embedded", report)
    anyio.run(composed.tried, image, network, home / "composed", report)
    return report.failed


if __name__ == "__main__":
    sys.exit(min(main(*sys.argv[1:]), 100))
