"""Containers of the image: as its configuration says, through crun, without a daemon.

Runs inside the namespaces that trial.py makes. The root file system is read-only, no capability
is left, and no new privilege can be had: the strictest that an operator could ask for.
"""

import http.client
import json
import os
import resource
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

from deploy.image.report import ImageError

_SUBNET = "10.88.0"
GATEWAY = f"{_SUBNET}.1"
PORT = 8000


@dataclass(frozen=True, slots=True)
class Image:
    """The files of an image, and what it says about how to run them."""

    root: Path
    config: Mapping[str, Any]

    @property
    def health(self) -> list[str]:
        """The words of HEALTHCHECK."""
        kind, *words = self.config["Healthcheck"]["Test"]
        if kind != "CMD":
            raise ImageError(f"HEALTHCHECK is {kind}, wanted the exec form.")
        return list(words)

    @property
    def health_timeout_s(self) -> float:
        """Seconds after which HEALTHCHECK is given up."""
        return float(self.config["Healthcheck"]["Timeout"]) / 1e9


class Network:
    """A bridge, with an address for each container and names for all of them."""

    def __init__(self, folder: Path) -> None:
        self.hosts = folder / "hosts"
        self.hosts.write_text("127.0.0.1 localhost\n")
        self._members = 1
        _ip("link", "set", "lo", "up")
        _ip("link", "add", "orderly", "type", "bridge")
        _ip("address", "add", f"{GATEWAY}/24", "dev", "orderly")
        _ip("link", "set", "orderly", "up")

    def name(self, name: str, address: str) -> None:
        """Let containers know an address by a name."""
        with self.hosts.open("a") as hosts:
            hosts.write(f"{address} {name}\n")

    def join(self, name: str) -> str:
        """Make the network namespace of a container; return its address."""
        self._members += 1
        ours, address = f"veth{self._members}", f"{_SUBNET}.{self._members}"
        _ip("netns", "add", name)
        inside = ("-n", name)
        _ip("link", "add", ours, "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("link", "set", ours, "master", "orderly", "up")
        _ip(*inside, "address", "add", f"{address}/24", "dev", "eth0")
        _ip(*inside, "link", "set", "lo", "up")
        _ip(*inside, "link", "set", "eth0", "up")
        return address


@dataclass
class Container:
    """One container, to be started once."""

    name: str
    image: Image
    network: Network
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    command: Sequence[str] = ()
    data: Path | None = None
    """Folder for the image's volume; an anonymous one when there is none."""
    tmp: bool = False
    """Whether there is a /tmp to write to."""
    began: float = 0.0
    address: str = ""
    _process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """Start it; it may not be ready for a while."""
        bundle = self.folder / self.name
        bundle.mkdir()
        self.address = self.network.join(self.name)
        _crun(bundle, "spec")
        spec = json.loads((bundle / "config.json").read_text())
        (bundle / "config.json").write_text(json.dumps(self._configured(spec, bundle)))
        with (bundle / "output").open("wb") as output, (bundle / "errors").open("wb") as errors:
            self.began = time.monotonic()
            self._process = subprocess.Popen(
                [*_CRUN, "run", f"--bundle={bundle}", self.name],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
            )

    def _configured(self, spec: dict[str, Any], bundle: Path) -> dict[str, Any]:
        """Return what crun is told: its own defaults, the image's configuration, and no rights."""
        spec["root"] = {"path": str(self.image.root), "readonly": True}
        spec["process"] = self._process_of(
            [*self.image.config["Entrypoint"], *(self.command or self.image.config["Cmd"])]
        )
        spec["hostname"] = self.name
        spec["linux"]["namespaces"] = [
            *({"type": kind} for kind in ("pid", "ipc", "uts", "mount")),
            {"type": "network", "path": f"/run/netns/{self.name}"},
        ]
        spec["linux"].pop("resources", None)
        usual = [each for each in spec["mounts"] if each["type"] not in {"sysfs", "cgroup"}]
        data = self.data or volume(bundle / "data", self.image)
        mounts = [
            *(_bind(data, place, "rw") for place in self.image.config["Volumes"]),
            _bind(self.network.hosts, "/etc/hosts", "ro"),
        ]
        if self.tmp:
            options = ["nosuid", "nodev", "mode=1777"]
            mounts.append(
                {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": options}  # noqa: S108 - inside
            )
        spec["mounts"] = usual + mounts
        return spec

    def _process_of(self, words: Sequence[str]) -> dict[str, Any]:
        uid, _, gid = self.image.config["User"].partition(":")
        theirs = dict(each.split("=", 1) for each in self.image.config["Env"])
        return {
            "terminal": False,
            "user": {"uid": int(uid), "gid": int(gid)},
            "args": list(words),
            "env": [f"{name}={value}" for name, value in (theirs | dict(self.environment)).items()],
            "cwd": self.image.config["WorkingDir"],
            "capabilities": {kind: [] for kind in ("bounding", "effective", "permitted")},
            "noNewPrivileges": True,
        }

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"http://{self.address}:{PORT}"

    def exec_words(self) -> list[str]:
        """Return what runs a command inside, as the image's user, when it is put before it."""
        config = self.image.config
        as_is = (f"--user={config['User']}", f"--cwd={config['WorkingDir']}", self.name)
        return [*_CRUN, "exec", *as_is]

    def inside(
        self, words: Sequence[str], timeout_s: float = 60
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command inside, to its end."""
        return subprocess.run(
            [*self.exec_words(), *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def healthy(self) -> bool:
        """Run HEALTHCHECK once, as a daemon would."""
        try:
            return self.inside(self.image.health, self.image.health_timeout_s).returncode == 0
        except subprocess.TimeoutExpired:
            return False

    def wait_healthy(self, timeout_s: float = 30) -> float:
        """Wait until it is ready, and so says HEALTHCHECK; return the seconds that took.

        Raises ImageError with the log when it ends before, or takes longer.
        """
        while time.monotonic() < self.began + timeout_s and not self.ended:
            # Not by HEALTHCHECK, which is a process each time: asking must not slow the start.
            if self._answers():
                took = time.monotonic() - self.began
                if self.healthy():
                    return took
            time.sleep(0.02)
        raise ImageError(f"{self.name} does not get healthy: {self.errors()[-2000:]}")

    def _answers(self) -> bool:
        asked = http.client.HTTPConnection(self.address, PORT, timeout=1)
        try:
            asked.request("GET", "/health/ready")
            return asked.getresponse().status == HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            asked.close()

    def cpu_s(self) -> float:
        """Return the CPU seconds of its first process; 0 until there is one."""
        try:
            spent = Path(f"/proc/{self._pid()}/stat").read_text().rpartition(")")[2].split()
        except (ImageError, OSError):
            return 0.0
        # User and system time, fields 14 and 15 of the whole line.
        return (int(spent[11]) + int(spent[12])) / os.sysconf("SC_CLK_TCK")

    def _pid(self) -> int:
        state = json.loads(_crun(self.folder, "state", self.name))
        return int(state["pid"])

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        assert self._process is not None
        return self._process.poll() is not None

    def signal(self, name: str) -> None:
        """Send its first process a signal."""
        _crun(self.folder, "kill", self.name, name)

    def kill(self) -> None:
        """Kill it, if it runs."""
        if self._process is not None and not self.ended:
            self.signal("KILL")
            self.wait()

    def wait(self, timeout_s: float = 60) -> int:
        """Wait for its end and return the exit code."""
        assert self._process is not None
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            raise ImageError(f"{self.name} has not ended after {timeout_s:g} s.") from error

    def stop(self, timeout_s: float) -> tuple[int, float]:
        """Stop it as a daemon would; return the exit code and the seconds it took."""
        began = time.monotonic()
        self.signal(str(self.image.config["StopSignal"]))
        return self.wait(timeout_s), time.monotonic() - began

    def output(self) -> str:
        """Return what it printed."""
        return (self.folder / self.name / "output").read_text(errors="replace")

    def errors(self) -> str:
        """Return what it logged."""
        return (self.folder / self.name / "errors").read_text(errors="replace")

    def memory_mb(self) -> float:
        """Return the resident memory of all its processes, in megabytes."""
        inside = Path(f"/proc/{self._pid()}/ns/pid").readlink()
        pages = 0
        for process in Path("/proc").glob("[0-9]*"):
            # Processes come and go while we look.
            with suppress(OSError):
                if (process / "ns/pid").readlink() == inside:
                    pages += int((process / "statm").read_text().split()[1])
        return pages * resource.getpagesize() / 1e6


# Without cgroups: limits are not what is tried, and not every machine lets them be set.
_CRUN = ("crun", "--cgroup-manager=disabled", "--root=/run/crun")


def _crun(folder: Path, *words: str) -> str:
    done = subprocess.run([*_CRUN, *words], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ImageError(f"crun {words[0]} failed: {done.stderr.strip()}")
    return done.stdout


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ImageError(f"ip {' '.join(words)} failed: {done.stderr.strip()}")


def _bind(source: Path, destination: str, mode: str) -> dict[str, Any]:
    options = ["rbind", mode, "nosuid", "nodev"]
    return {"destination": destination, "type": "none", "source": str(source), "options": options}


def volume(folder: Path, image: Image) -> Path:
    """Make a volume, owned as the image has it where it is mounted."""
    (place,) = image.config["Volumes"]
    there = (image.root / place.lstrip("/")).stat()
    folder.mkdir(mode=there.st_mode & 0o777)
    os.chown(folder, there.st_uid, there.st_gid)
    return folder
