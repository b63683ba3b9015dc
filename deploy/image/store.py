"""Images in a storage of our own, through buildah: nothing of the machine's is touched."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deploy.image.report import ImageError

ROOT = Path(__file__).parents[2]
BASE = "docker.io/library/python:3.13-slim-bookworm"
IMAGE = "localhost/orderly"

# Where Debian keeps the certificates it trusts; a base that we made sees the machine's own, for
# the networks that have an authority of their own.
_TRUST = ("/etc/ssl/certs", "/usr/share/ca-certificates", "/usr/local/share/ca-certificates")


class Store:
    """A folder of images, and the one that they are built from."""

    def __init__(self, home: Path, context: Path) -> None:
        self._context = context
        self._options = (
            "--storage-driver=overlay",
            f"--root={home}/graph",
            f"--runroot={home}/run",
        )

    def buildah(self, *words: str | Path) -> str:
        """Run buildah and return what it printed; raises ImageError with what it complained of."""
        done = subprocess.run(
            ["buildah", *self._options, *words],
            cwd=self._context,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            said = "\n".join(done.stdout.splitlines()[-10:] + done.stderr.splitlines()[-10:])
            raise ImageError(f"buildah {words[0]} failed:\n{said}")
        return done.stdout.strip()

    def has(self, image: str) -> bool:
        """Tell whether an image is here."""
        images = json.loads(self.buildah("images", "--json"))
        return any(image in (each["names"] or ()) for each in images)

    def build(self, name: str, *, fresh: bool, own_base: bool) -> None:
        """Build the Dockerfile under a name.

        Times in it are set to zero, so that the same source makes the same layers; fresh builds
        without those of builds before. own_base trusts whom this machine trusts.
        """
        trust = [
            f"--volume={path}:{path}:ro" for path in _TRUST if own_base and Path(path).is_dir()
        ]
        self.buildah(
            # OCI has no HEALTHCHECK. chroot: a build needs no more, and works in a container.
            *("bud", "--format=docker", "--isolation=chroot", "--timestamp=0", "--pull-never"),
            *(("--layers", "--no-cache") if fresh else ("--layers",)),
            *(*trust, f"--tag={name}", "."),
        )

    def inspect(self, name: str) -> dict[str, Any]:
        """Return all that buildah knows of an image."""
        found: dict[str, Any] = json.loads(self.buildah("inspect", "--type=image", name))
        return found

    def layers(self, name: str) -> list[str]:
        """Return the digest of each layer, of all that is in it, the base's first."""
        return list(self.inspect(name)["OCIv1"]["rootfs"]["diff_ids"])

    @contextmanager
    def mounted(self, name: str) -> Iterator[Path]:
        """Yield the root of an image's files; what is written there is gone afterwards."""
        container = self.buildah("from", "--pull-never", name)
        try:
            yield Path(self.buildah("mount", container))
        finally:
            self.buildah("rm", container)

    def exported(self, name: str, folder: Path) -> list[tuple[int, Path]]:
        """Write an image out as a registry has it; return each layer's compressed size and file."""
        self.buildah("push", "--quiet", name, f"oci:{folder}:{name.rpartition('/')[2]}")
        index = json.loads((folder / "index.json").read_text())
        manifest = json.loads(_blob(folder, index["manifests"][0]["digest"]).read_text())
        return [(each["size"], _blob(folder, each["digest"])) for each in manifest["layers"]]


def _blob(folder: Path, digest: str) -> Path:
    return folder / "blobs" / digest.replace(":", "/")


def require_programs(*names: str) -> None:
    """Raise ImageError when a program is not there."""
    missing = [name for name in names if shutil.which(name) is None]
    if missing:
        raise ImageError(f"Not on PATH: {', '.join(missing)}. On Debian, their packages' names.")
