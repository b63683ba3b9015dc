"""Doing many things of a kind, so many at a time, with a bar that shows how far it got."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import TypeVar

import anyio
from anyio.abc import TaskGroup
from rich.progress import Progress

from app.cli.rest import ServerError

Thing = TypeVar("Thing")


def bar(progress: Progress, name: str, total: int) -> Callable[[], None]:
    """Show one more bar, and return what moves it on."""
    task = progress.add_task(name, total=total)
    return lambda: progress.advance(task)


async def each(
    things: Iterable[Thing],
    do: Callable[[Thing], Awaitable[None]],
    *,
    lanes: int,
    done: Callable[[], None] = lambda: None,
) -> None:
    """Do every thing, so many at a time; the first ServerError stops them all."""
    waiting = iter(things)

    async def lane() -> None:
        for thing in waiting:
            await do(thing)
            done()

    async with together() as group:
        for _ in range(lanes):
            group.start_soon(lane)


@asynccontextmanager
async def together() -> AsyncIterator[TaskGroup]:
    """Open a task group that raises one ServerError instead of a group of them."""
    trouble: list[BaseException] = []
    try:
        async with anyio.create_task_group() as group:
            yield group
    except* ServerError as errors:
        trouble = [*errors.exceptions]
    if trouble:
        raise trouble[0]
