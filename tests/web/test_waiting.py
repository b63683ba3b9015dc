"""Waiting: what a client prefers, and one who looks for all who wait."""

from collections.abc import AsyncIterator, Collection, Mapping

import anyio
import pytest
from fastapi import FastAPI, Request
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

from app.web import waiting
from app.web.waiting import Preference, Watch, preference
from tests.web.sample import Process


def preferring(*headers: str) -> Preference:
    """Read these Prefer headers."""
    given = [(b"prefer", header.encode("latin-1")) for header in headers]
    return preference(Request({"type": "http", "headers": given, "app": FastAPI()}))


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [
        ("wait=5", 5),
        ("WAIT = 5", 5),
        ('wait="5"', 5),
        ("handling=lenient , wait=5", 5),
        ("wait=5; because=slow, other", 5),
        ("wait=007", 7),
        ("wait=0", 0),
        ("wait=30", 30),
        ("wait=31", 30),
        ("wait=999999", 30),
        ("wait=5, wait=9", 5),
        ("wait", None),
        ("wait=", None),
        ("wait=-5", None),
        ("wait=5.5", None),
        ("wait=five", None),
        ("wait=\u00b2", None),
        ("wait=1000000", None),
        ("await=5", None),
        ("handling=x; wait=5", None),
        (",,;=", None),
        ("", None),
    ],
)
def test_how_long_a_client_prefers_to_wait(header: str, wait_s: int | None) -> None:
    assert preferring(header).wait_s == wait_s


def test_preferences_come_in_one_header_or_in_several() -> None:
    both = preferring("respond-async", "wait=5")

    assert both == preferring("wait=5, respond-async") == Preference(wait_s=5, is_async=True)
    assert both.applied == {"Preference-Applied": "wait=5"}
    assert preferring("Respond-Async").applied == {"Preference-Applied": "respond-async"}
    assert preferring().applied == preferring("handling=strict").applied == {}


class Things:
    """Versions of things, and who looked at which."""

    def __init__(self) -> None:
        self.versions: dict[str, int] = {"a": 1, "b": 1, "c": 1}
        self.looks: list[set[str]] = []
        self.error: Exception | None = None

    async def look(self, _: AsyncSession, keys: Collection[str]) -> Mapping[str, int]:
        self.looks.append(set(keys))
        if self.error is not None:
            raise self.error
        return {key: self.versions[key] for key in keys if key in self.versions}


@pytest.fixture
def things() -> Things:
    return Things()


@pytest.fixture
async def watch(process: Process, things: Things) -> AsyncIterator[Watch]:
    """Yield a watch, and see that whoever waited is forgotten."""
    watch = Watch(process, things.look)
    yield watch
    assert not watch._waiters
    assert watch._leader is None


class Waiting:
    """Somebody who waits in a task of its own."""

    def __init__(self, watch: Watch, key: str, timeout_s: float = 10) -> None:
        self._watch, self._key, self._timeout_s = watch, key, timeout_s
        self.scope = anyio.CancelScope()
        self.found: int | None = None
        self.error: Exception | None = None
        self.done = anyio.Event()

    async def run(self) -> None:
        try:
            with self.scope:
                self.found = await self._watch.changed(self._key, 1, timeout_s=self._timeout_s)
        except Exception as error:  # noqa: BLE001 - the test looks at it
            self.error = error
        self.done.set()

    async def end(self) -> int | None:
        with anyio.fail_after(3):
            await self.done.wait()
        return self.found


async def test_each_hears_of_its_own(watch: Watch, things: Things) -> None:
    one, other, same = Waiting(watch, "a"), Waiting(watch, "b"), Waiting(watch, "a")
    async with anyio.create_task_group() as group:
        for each in (one, other, same):
            group.start_soon(each.run)
        await anyio.sleep(0.05)
        things.versions["a"] = 2

        assert (await one.end(), await same.end()) == (2, 2)
        assert not other.done.is_set()
        things.versions["b"] = 7
        assert await other.end() == 7
    assert {"a", "b"} in things.looks


async def test_what_changed_before_the_wait_is_found_at_once(watch: Watch, things: Things) -> None:
    things.versions["a"] = 2

    with anyio.fail_after(1):
        assert await watch.changed("a", 1, timeout_s=10) == 2


async def test_nothing_happens_until_the_time_is_up(watch: Watch, things: Things) -> None:
    began = anyio.current_time()

    assert await watch.changed("a", 1, timeout_s=0.6) is None
    assert await watch.changed("nobody", 1, timeout_s=0) is None

    assert 0.5 < anyio.current_time() - began < 1.5
    # Less and less often.
    assert 3 <= len(things.looks) <= 12


async def test_a_commit_is_looked_at_soon(
    process: Process, watch: Watch, things: Things, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "_SHORTEST_S", 60.0)
    monkeypatch.setattr(waiting, "_LONGEST_S", 60.0)
    one = Waiting(watch, "a")
    async with anyio.create_task_group() as group:
        group.start_soon(one.run)
        await anyio.sleep(0.05)
        things.versions["a"] = 2
        process.wake_up.committed()

        assert await one.end() == 2


async def test_who_comes_later_is_not_kept_waiting_for_the_next_look(
    watch: Watch, things: Things, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "_SHORTEST_S", 60.0)
    monkeypatch.setattr(waiting, "_LONGEST_S", 60.0)
    early, late = Waiting(watch, "a"), Waiting(watch, "b")
    async with anyio.create_task_group() as group:
        group.start_soon(early.run)
        await anyio.sleep(0.05)
        things.versions["b"] = 2
        group.start_soon(late.run)

        assert await late.end() == 2
        early.scope.cancel()


async def test_a_storm_of_commits_does_not_make_a_storm_of_looks(
    process: Process, watch: Watch, things: Things
) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(Waiting(watch, "a", timeout_s=0.3).run)
        for _ in range(150):
            process.wake_up.committed()
            await anyio.sleep(0.002)

    assert len(things.looks) <= 35


@pytest.mark.parametrize("how", ["cancelled", "found", "late"])
async def test_when_the_one_who_looks_leaves_another_takes_over(
    watch: Watch, things: Things, how: str
) -> None:
    leader = Waiting(watch, "a", timeout_s=0.05 if how == "late" else 10)
    others = [Waiting(watch, "b") for _ in range(3)]
    async with anyio.create_task_group() as group:
        for each in (leader, *others):
            group.start_soon(each.run)
        await anyio.sleep(0.03)
        if how == "cancelled":
            leader.scope.cancel()
            # The one who would be next leaves at the same moment.
            others[0].scope.cancel()
        elif how == "found":
            things.versions["a"] = 2
        await leader.end()
        things.versions["b"] = 2

        assert [await one.end() for one in others[1:]] == [2, 2]


async def test_a_database_that_is_away_is_waited_for(watch: Watch, things: Things) -> None:
    things.error = OperationalError("SELECT", {}, Exception("database is locked"))
    one = Waiting(watch, "a")
    async with anyio.create_task_group() as group:
        group.start_soon(one.run)
        await anyio.sleep(0.05)
        assert things.looks
        things.error = None
        things.versions["a"] = 2

        assert await one.end() == 2


async def test_a_bug_is_not_waited_for(watch: Watch, things: Things) -> None:
    things.error = LookupError("no such thing")
    one = Waiting(watch, "a")
    async with anyio.create_task_group() as group:
        group.start_soon(one.run)
        await one.end()

    assert one.error is things.error


async def test_a_stop_ends_the_waiting(process: Process, watch: Watch) -> None:
    one, other = Waiting(watch, "a"), Waiting(watch, "b")
    async with anyio.create_task_group() as group:
        group.start_soon(one.run)
        group.start_soon(other.run)
        await anyio.sleep(0.05)
        process.draining = True

        assert (await one.end(), await other.end()) == (None, None)
