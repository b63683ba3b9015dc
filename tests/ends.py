"""Processes that end with the tests, however those end."""

import subprocess

# Reads until this process ends, then kills the other. A pipe does what a parent-death signal
# does, on macOS too and whichever thread asked.
_WATCHER = 'cat > /dev/null; kill -KILL "$0"; [ -z "$1" ] || rm -rf "$1"'


class EndsWithUs:
    """Kills a process, and removes its folder, if this process is gone before `release`."""

    def __init__(self, pid: int, folder: str = "") -> None:
        self._watcher = subprocess.Popen(
            ["sh", "-c", _WATCHER, str(pid), folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def release(self) -> None:
        """Stop watching; call it before waiting for the process, whose id is free after that."""
        if self._watcher.returncode is None:
            self._watcher.kill()
            # Waits, and closes the pipe.
            self._watcher.communicate()
