"""A line: one command at a time, and whatever befalls one is over with it."""

from collections.abc import AsyncIterator

import anyio
import pytest
from redis.exceptions import ResponseError

from app.bus.line import Line
from app.bus.stream import Stream
from tests.least_privilege import admin_url


@pytest.fixture
async def boundless(stream: Stream) -> AsyncIterator[Stream]:
    """Open the engine as one who may send it any command."""
    opened = Stream(admin_url(stream), prefix=stream._prefix)
    yield opened
    await opened.close()


@pytest.mark.parametrize("protocol", [2, 3])
async def test_a_group_reads_the_same_by_either_protocol(stream: Stream, protocol: int) -> None:
    await stream.ensure_groups(["bells", "horns"], "ears")
    await stream.append([("bells", "a"), ("horns", "b"), ("bells", "c")])
    mark = "&" if "?" in stream._url else "?"
    spoken = Stream(f"{stream._url}{mark}protocol={protocol}", prefix=stream._prefix)

    async with spoken.reader(["bells", "horns"], "ears", "c1", block_s=0.01) as reader:
        read = await reader.fresh(10)
        await stream._redis.xtrim(stream.key("horns"), maxlen=0)
        again = await reader.own_pending(10, {})
        none = await reader.fresh(10)
    await spoken.close()

    assert [(entry.context, entry.event) for entry in read] == [
        ("bells", "a"),
        ("bells", "c"),
        ("horns", "b"),
    ]
    assert [entry.event for entry in again] == ["a", "c", None]
    assert none == []


async def test_commands_at_the_same_time_get_their_own_replies(boundless: Stream) -> None:
    line, replies = boundless.line(), list[str]()

    async def echo(word: str) -> None:
        replies.append(f"{word}={await line.ask('ECHO', word)}")

    async with anyio.create_task_group() as group:
        for number in range(20):
            group.start_soon(echo, str(number))
    await line.close()
    assert sorted(replies) == sorted(f"{number}={number}" for number in range(20))


async def test_a_refusal_is_not_the_end_of_the_connection(boundless: Stream) -> None:
    line = boundless.line()
    mine = await line.ask("CLIENT", "ID")
    with pytest.raises(ResponseError):
        await line.ask("NO", "SUCH", "COMMAND")
    assert await line.ask("CLIENT", "ID") == mine
    await line.close()


async def test_what_is_too_late_or_cut_short_leaves_no_reply_behind(
    boundless: Stream,
) -> None:
    line = Line(boundless.line()._connection, 0.1)
    with pytest.raises(TimeoutError):
        await line.ask("BLPOP", boundless.key("nothing"), 0)
    assert await line.ask("ECHO", "one") == "one"
    assert await line.ask("BLPOP", boundless.key("nothing"), "0.2", wait_s=5) is None

    with anyio.move_on_after(0.05) as waiting:
        await line.ask("BLPOP", boundless.key("nothing"), 0, wait_s=60)
    assert waiting.cancelled_caught
    assert await line.ask("ECHO", "two") == "two"
    await line.close()


async def test_a_connection_that_was_closed_meanwhile_is_replaced_unseen(boundless: Stream) -> None:
    line = boundless.line()
    lost = await line.ask("CLIENT", "ID")
    await boundless._redis.client_kill_filter(_id=lost)
    await anyio.sleep(0.05)
    assert await line.ask("CLIENT", "ID") != lost
    await line.close()
