"""The stream's contract, on every engine."""

import anyio
import pytest

from app.bus.errors import GroupMissingError, StreamUnavailableError
from app.bus.stream import Entry, Stream
from tests.least_privilege import lose
from tests.valkey import ValkeyServer

GROUP = "ears"


async def filled(stream: Stream, count: int = 3) -> list[str]:
    """Append numbered entries to a stream whose group exists, and return their ids."""
    await stream.ensure_groups(["bells"], GROUP)
    return (await stream.append([("bells", str(number)) for number in range(count)])).ids


def events(entries: list[Entry]) -> list[str | None]:
    return [entry.event for entry in entries]


async def test_a_group_reads_what_was_appended_before_it_existed(stream: Stream) -> None:
    await stream.append([("bells", "early")])
    await stream.ensure_groups(["bells"], GROUP)

    async with stream.reader(["bells"], GROUP, "c", block_s=0.2) as reader:
        assert events(await reader.fresh(10)) == ["early"]


async def test_creating_a_group_again_changes_nothing(stream: Stream) -> None:
    await filled(stream)
    async with stream.reader(["bells"], GROUP, "c", block_s=0.2) as reader:
        await reader.fresh(10)

        await stream.ensure_groups(["bells"], GROUP)

        assert await reader.fresh(10) == []


async def test_entries_come_in_order_from_several_streams(stream: Stream) -> None:
    await stream.ensure_groups(["bells", "horns"], GROUP)
    await stream.append([("bells", "1"), ("horns", "2"), ("bells", "3")])

    async with stream.reader(["bells", "horns"], GROUP, "c", block_s=0.2) as reader:
        entries = await reader.fresh(10)

    assert {(entry.context, entry.event) for entry in entries} == {
        ("bells", "1"),
        ("horns", "2"),
        ("bells", "3"),
    }
    assert [entry.event for entry in entries if entry.context == "bells"] == ["1", "3"]


async def test_an_idle_read_waits_for_its_block_time_and_returns_nothing(stream: Stream) -> None:
    await stream.ensure_groups(["bells"], GROUP)
    async with stream.reader(["bells"], GROUP, "c", block_s=0.3) as reader:
        started = anyio.current_time()

        entries = await reader.fresh(10)

    assert entries == []
    assert anyio.current_time() - started >= 0.25


async def test_what_was_read_and_not_acknowledged_is_its_readers_to_finish(stream: Stream) -> None:
    await filled(stream)
    async with stream.reader(["bells"], GROUP, "c", block_s=0.2) as reader:
        read = await reader.fresh(2)
        await stream.ack(GROUP, read[:1])

    async with stream.reader(["bells"], GROUP, "c", block_s=0.2) as reader:
        own = await reader.own_pending(10, {})
        beyond = await reader.own_pending(10, {"bells": own[-1].id})

    assert events(own) == ["1"]
    assert beyond == []


async def test_what_another_consumer_left_is_reclaimed_to_the_last_page(stream: Stream) -> None:
    await filled(stream, 25)
    async with stream.reader(["bells"], GROUP, "dead", block_s=0.2) as reader:
        await reader.fresh(25)

    async with stream.reader(["bells"], GROUP, "alive", block_s=0.2) as reader:
        pages = [page async for page in reader.reclaim(0, 10)]
        too_young = [page async for page in reader.reclaim(60, 10)]

    assert sorted(int(entry.event or -1) for page in pages for entry in page) == list(range(25))
    assert too_young == []


async def test_an_entry_that_was_trimmed_comes_back_without_its_event(stream: Stream) -> None:
    ids = await filled(stream, 2)
    async with stream.reader(["bells"], GROUP, "c", block_s=0.2) as reader:
        await reader.fresh(10)
        await stream._redis.xdel(stream.key("bells"), ids[0])

        pages = [page async for page in reader.reclaim(0, 10)]

    gone = {entry.id: entry.event for page in pages for entry in page}
    assert gone == {ids[0]: None, ids[1]: "1"}


async def test_the_state_of_a_group_is_what_it_read_and_still_holds(stream: Stream) -> None:
    ids = await filled(stream, 3)
    async with stream.reader(["bells"], GROUP, "c", block_s=0.2) as reader:
        await stream.ack(GROUP, (await reader.fresh(2))[:1])

    state = await stream.group_state("bells", GROUP)

    assert state.last_delivered_id == ids[1]
    assert state.pending_ids == {ids[1]}
    assert await stream.present("bells", [ids[2], "1-1"]) == {ids[2]: "2"}


async def test_a_missing_group_is_its_own_error(stream: Stream) -> None:
    async with stream.reader(["bells"], GROUP, "c", block_s=0.2) as reader:
        with pytest.raises(GroupMissingError):
            await reader.fresh(1)
        with pytest.raises(GroupMissingError):
            await reader.own_pending(1, {})
        with pytest.raises(GroupMissingError):
            await anext(reader.reclaim(0, 1))
    with pytest.raises(GroupMissingError):
        await stream.group_state("bells", GROUP)


async def test_a_reader_blocked_on_a_stream_that_vanishes_learns_it(stream: Stream) -> None:
    await stream.ensure_groups(["bells"], GROUP)

    reading = stream.reader(["bells"], GROUP, "c", block_s=5)
    async with reading as reader, anyio.create_task_group() as group:

        async def blocked() -> None:
            with pytest.raises(GroupMissingError):
                await reader.fresh(1)

        group.start_soon(blocked)
        await anyio.wait_all_tasks_blocked()
        await lose(stream, "bells")


async def test_a_page_the_engine_refuses_is_an_error(stream: Stream) -> None:
    await stream._redis.set(stream.key("horns"), "not a stream")

    with pytest.raises((StreamUnavailableError, GroupMissingError)):
        await stream.append([("horns", "1")])


async def test_a_wake_up_is_heard_and_silence_is_not(stream: Stream) -> None:
    async with stream.wake_ups() as next_call:
        assert not await next_call(0.05)
        await stream.wake_others()
        assert await next_call(5)


async def test_an_engine_that_is_gone_is_unavailable_for_every_verb() -> None:
    server = ValkeyServer()
    stream = Stream(server.url)

    with pytest.raises(StreamUnavailableError):
        await stream.ping()
    with pytest.raises(StreamUnavailableError):
        await stream.append([("bells", "1")])
    with pytest.raises(StreamUnavailableError):
        await stream.ensure_groups(["bells"], GROUP)
    with pytest.raises(StreamUnavailableError):
        async with stream.wake_ups():
            pass
    await stream.close()


def test_how_often_an_entry_was_delivered_outlives_the_engine() -> None:
    """Or an embedded engine, which ends with its process, would let poison kill that for ever."""
    server = ValkeyServer()
    server.start()

    async def delivered_again() -> list[Entry]:
        stream = Stream(server.url)
        async with stream.reader(["bells"], GROUP, "c", block_s=0.2) as reader:
            entries = await reader.own_pending(10, {}) or await reader.fresh(10)
            often = await reader.delivered_often(entries, 3)
        await stream.close()
        return often

    async def begin() -> list[Entry]:
        stream = Stream(server.url)
        await stream.ensure_groups(["bells"], GROUP)
        await stream.append([("bells", "poison")])
        await stream.close()
        return await delivered_again()

    try:
        often = [len(anyio.run(begin))]
        for _ in range(2):
            server.kill()
            server.start()
            often.append(len(anyio.run(delivered_again)))
    finally:
        server.stop()

    assert often == [0, 0, 1]


async def test_a_page_tells_its_ids_in_order_and_how_long_each_stream_is_now(
    stream: Stream,
) -> None:
    await stream.append([("bells", "0")])

    page = await stream.append([("bells", "1"), ("horns", "2"), ("bells", 'é"\x00')])

    assert page.lengths == {"bells": 3, "horns": 1}
    first, second, third = page.ids
    assert await stream.present("bells", [first, third]) == {first: "1", third: 'é"\x00'}
    assert await stream.present("horns", [second]) == {second: "2"}


async def test_a_key_of_a_wrong_type_spoils_its_own_entries_alone(stream: Stream) -> None:
    await stream._redis.set(stream.key("horns"), "not a stream")

    with pytest.raises((StreamUnavailableError, GroupMissingError)):
        await stream.append([("bells", "1"), ("horns", "2"), ("bells", "3")])

    assert await stream._redis.xlen(stream.key("bells")) == 2


async def test_an_engine_without_memory_takes_nothing_of_a_page() -> None:
    server = ValkeyServer()
    server.start()
    stream = Stream(server.url)
    try:
        with server.client() as client:
            client.config_set("maxmemory", 1)
            with pytest.raises(StreamUnavailableError):
                await stream.append([("bells", str(number)) for number in range(9)])
            client.config_set("maxmemory", 0)
            assert client.xlen(stream.key("bells")) == 0
    finally:
        await stream.close()
        server.stop()
