"""Keeps one process running, as an orchestrator would, while faults end and freeze it."""

import json
import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import anyio
import httpx2

from tests.faults.poison import KILLED
from tests.system.orderly import Orderly

RUNS_S = 1.0
"""For how long a process runs at least before the next fault is its turn."""

DIED = "loop died"
BLOCKED = "event loop blocked"
"""What the log says when a loop ended of a bug and took the process with it."""

FAILED = "request failed"
"""What it says when a request was answered 500, which no fault is a reason for."""


class Audited(Orderly):
    """An Orderly whose effects are audited."""

    module = "tests.faults.launch"


class Keeper:
    """One place for a process: starts it, and again whenever it ended, until `stop`."""

    def __init__(self, role: str, directory: Path, environment: Mapping[str, str]) -> None:
        self.role = role
        self.url = ""
        self.bugs: list[str] = []
        self.killed: list[datetime] = []
        self.poisoned = 0
        self.blocked = 0
        self._directory = directory
        self._environment = {**environment, "APP_ROLE": role}
        self._process: Orderly | None = None
        self._up = anyio.Event()
        self._turn = anyio.Lock()
        self._began = 0.0
        self._said = ""
        self._wanted = self._engine_killed = False
        self._stopping = False

    async def run(self) -> None:
        """Start the process again and again, until `stop` has ended it."""
        while not self._stopping:
            port = int(self.url.rsplit(":", 1)[1]) if self.url else 0
            process = Audited(self._directory, self._environment, port=port)
            try:
                await anyio.to_thread.run_sync(process.start)
            except AssertionError as error:
                self._refused(process, str(error))
                await anyio.sleep(0.3)
                continue
            self._process, self.url = process, process.url
            self._wanted = self._engine_killed = False
            self._began = anyio.current_time()
            self._up.set()
            if self._asked_to_stop():  # while it started
                await self._terminate(process)
            async with anyio.create_task_group() as watching:
                watching.start_soon(self._watch_liveness, process)
                while process.exit_code is None:
                    await anyio.sleep(0.02)
                watching.cancel_scope.cancel()
            self._up = anyio.Event()
            self._process = None
            self._note(process)

    def _asked_to_stop(self) -> bool:
        return self._stopping

    async def _watch_liveness(self, process: Orderly) -> None:
        """Kill a process that says that its event loop does not run."""
        async with httpx2.AsyncClient(base_url=process.url, timeout=1) as client:
            while True:
                await anyio.sleep(1)
                with suppress(httpx2.TransportError):
                    reply = await client.get("/health/live")
                    if "blocked" in reply.text:
                        self.blocked += 1
                        self._end(process.pid, signal.SIGKILL)
                        return

    async def up(self, timeout_s: float = 30) -> Orderly:
        """Wait until the process runs, and return it."""
        with anyio.move_on_after(timeout_s):
            while self._process is None:
                await self._up.wait()
            return self._process
        raise AssertionError(f"{self.role} is not up after {timeout_s:g} s: {self._said[-3000:]}")

    @property
    def is_free(self) -> bool:
        """Whether no fault is at work on the process, or waits for it to have run a while."""
        return not self._turn.locked()

    async def kill(self) -> None:
        """Kill -9."""
        async with self._turn:
            process = await self._settled()
            self.killed.append(datetime.now(UTC))
            self._end(process.pid, signal.SIGKILL)
            await self._gone(process)

    async def terminate(self) -> None:
        """Ask the process to stop, and wait until it has."""
        async with self._turn:
            await self._terminate(await self._settled())

    async def freeze(self, seconds: float) -> None:
        """Stop the process where it stands, and let it go on."""
        async with self._turn:
            pid = (await self._settled()).pid
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                try:
                    await anyio.sleep(seconds)
                finally:
                    os.kill(pid, signal.SIGCONT)

    async def kill_engine(self, state: Path) -> None:
        """Kill -9 the engine that the process started; the process must end of it, not go on."""
        async with self._turn:
            process = await self._settled()
            # Not before: poison may have ended the process, and another engine runs since.
            pid = json.loads(await anyio.Path(state).read_text())["pid"]
            self._engine_killed = True
            said = _length_of_log(process)
            self._end(pid, signal.SIGKILL)
            with anyio.move_on_after(20):
                await self._gone(process)
                return
            self._stayed(process, said, "goes on without its engine")

    async def stop(self) -> None:
        """End the process for good."""
        self._stopping = True
        if self._process is not None:
            await self._terminate(self._process)

    async def _settled(self) -> Orderly:
        """Return the process once it has run for a moment, as one that only starts never works."""
        process = await self.up()
        await anyio.sleep(max(0.0, self._began + RUNS_S - anyio.current_time()))
        return process

    async def _terminate(self, process: Orderly) -> None:
        """Ask the process to stop; one that does not is a bug."""
        said = _length_of_log(process)
        self._end(process.pid, signal.SIGTERM)
        with anyio.move_on_after(20):
            await self._gone(process)
            return
        self._stayed(process, said, "still there 20 s after SIGTERM")

    def _stayed(self, process: Orderly, said: int, what: str) -> None:
        """Kill a process that should have ended: a bug, unless poison held its event loop.

        A batch may hold several events that block it, one after the other, and whoever asks for
        its liveness meanwhile is no longer answered. said is what its log held when it was asked.
        """
        log = process.log()
        if BLOCKED in log[said:]:
            self.blocked += 1
        else:
            self.bugs.append(f"{self.role}: {what}\n{log[-4000:]}")
        self._end(process.pid, signal.SIGKILL)

    async def _gone(self, process: Orderly) -> None:
        while process.exit_code is None:
            await anyio.sleep(0.01)

    def _end(self, pid: int, number: signal.Signals) -> None:
        self._wanted = True
        with suppress(ProcessLookupError):
            os.kill(pid, number)

    def _refused(self, process: Orderly, error: str) -> None:
        """Take a start that was refused in a sentence; anything else is a bug."""
        self._said = error
        lines = error.strip().splitlines()
        if process.exit_code == KILLED:
            self.poisoned += 1
        elif not self._wanted and not any("orderly: " in line for line in lines):
            self.bugs.append(f"{self.role}: did not start\n{error[-3000:]}")
        process.__exit__(None, None, None)

    def _note(self, process: Orderly) -> None:
        log = process.log()
        failed = [line for line in log.splitlines() if FAILED in line]
        self.bugs += [f"{self.role}: answered 500\n{line[:6000]}" for line in failed[:3]]
        if DIED in log and not self._engine_killed:
            line = next(line for line in log.splitlines() if DIED in line)
            self.bugs.append(f"{self.role}: {DIED}\n{line[:6000]}")
        elif process.exit_code == KILLED:
            self.poisoned += 1
        elif not self._wanted:
            self.bugs.append(f"{self.role}: ended with {process.exit_code}\n{log[-2000:]}")
        with suppress(subprocess.TimeoutExpired):
            process.__exit__(None, None, None)


def _length_of_log(process: Orderly) -> int:
    """Return how much a process has said; of one that poison just ended nobody asks."""
    return len(process.log()) if process.exit_code is None else 0
