"""What a run ran on: figures without it say nothing."""

import os
import platform
import tempfile
import time
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_PACKAGES = (
    *("fastapi", "starlette", "pydantic", "uvicorn", "uvloop", "httptools", "sqlalchemy"),
    *("asyncpg", "aiosqlite", "redis", "hiredis", "faststream", "taskiq", "taskiq-redis"),
    *("celery", "kombu", "dbos", "psycopg"),
)


def machine() -> dict[str, Any]:
    """Return processor, memory, disk, load and versions, ready for JSON."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "memory_gib": round(pages / 2**30, 1),
        "system": platform.system(),
        "python": platform.python_version(),
        "fdatasync_us": round(_fdatasync_us()),
        "load_before": round(os.getloadavg()[0], 2),
        "packages": {name: found for name in _PACKAGES if (found := _version(name))},
    }


def in_a_sentence(found: dict[str, Any]) -> str:
    """Return the machine as one line for people."""
    return (
        f"{found['cores']} cores of {found['cpu']}, {found['memory_gib']} GiB, {found['system']}, "
        f"Python {found['python']}, fdatasync {found['fdatasync_us']} µs, "
        f"load before {found['load_before']}"
    )


def _cpu_model() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _fdatasync_us() -> float:
    """Median time of writing and syncing 8 kB where the servers keep their data."""
    times = []
    with tempfile.TemporaryFile(dir="/tmp") as file:
        for _ in range(50):
            os.pwrite(file.fileno(), b"x" * 8192, 0)
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - began)
    return sorted(times)[len(times) // 2] * 1e6


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
