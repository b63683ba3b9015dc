"""The questions to the stream that must be answered in one moment: Lua, and what it returns.

A script sees the stream, its groups and their pending entries as they are at one point of time,
which a row of commands does not. Each touches one key, so a cluster can run it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from app.bus.stream import Stream

# Some two microseconds each: a chunk holds other clients up for no longer than a page of XADDs.
_CHUNK = 500

_NUMBERS = """
local function numbers(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(seq)
end
local function before(one, other)
  local ms, seq = numbers(one)
  local other_ms, other_seq = numbers(other)
  return ms < other_ms or (ms == other_ms and seq < other_seq)
end
local function groups(key)
  local found = {}
  for _, info in ipairs(redis.call('XINFO', 'GROUPS', key)) do
    local group = {}
    for i = 1, #info, 2 do group[info[i]] = info[i + 1] end
    found[group['name']] = group
  end
  return found
end
"""

_LOST = (
    _NUMBERS
    + """
local key, name, lost = KEYS[1], ARGV[1], {}
local held = redis.call('TYPE', key).ok == 'stream'
local group = held and groups(key)[name]
local function is_there(id, event_id)
  local entry = held and redis.call('XRANGE', key, id, id)[1]
  return entry and string.find(entry[2][2], '"id":"' .. event_id .. '"', 1, true)
end
for i = 2, #ARGV, 2 do
  local id, event_id = ARGV[i], ARGV[i + 1]
  if not is_there(id, event_id) then
    lost[#lost + 1] = event_id
  elseif group and not before(group['last-delivered-id'], id)
      and #redis.call('XPENDING', key, name, id, id, 1) == 0 then
    lost[#lost + 1] = event_id
  end
end
return lost
"""
)

_TRIM = (
    _NUMBERS
    + """
local key, cap, unread = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2])
local kind = redis.call('TYPE', key).ok
if #ARGV == 2 then
  if kind == 'stream' then
    -- Below the cap, or it would be full for ever: nobody else makes room in it.
    redis.call('XTRIM', key, 'MAXLEN', '=', math.min(unread, math.floor(cap / 2)))
  end
  return {kind == 'stream' and redis.call('XLEN', key) or 0, ''}
end
local found, missing, floors = kind == 'stream' and groups(key) or {}, {}, {}
for i = 3, #ARGV do
  local name, group = ARGV[i], found[ARGV[i]]
  if not group then
    missing[#missing + 1] = name
  elseif group['pending'] > 0 then
    floors[#floors + 1] = {name, redis.call('XPENDING', key, name)[2], group}
  else
    local ms, seq = string.match(group['last-delivered-id'], '^(%d+)-(%d+)$')
    floors[#floors + 1] = {name, ms .. '-' .. string.format('%.0f', tonumber(seq) + 1), group}
  end
end
local length = kind == 'stream' and redis.call('XLEN', key) or 0
if #missing > 0 then return {length, '', unpack(missing)} end
table.sort(floors, function(one, other) return before(one[2], other[2]) end)
redis.call('XTRIM', key, 'MINID', '=', floors[1][2])
length = redis.call('XLEN', key)
if length < cap or #floors == 1 then return {length, ''} end
for i = 2, #floors do
  local group = floors[i][3]
  local unseen = group['lag']
  if not unseen then
    local from = '(' .. group['last-delivered-id']
    unseen = #redis.call('XRANGE', key, from, '+', 'COUNT', math.floor(cap / 2) + 1)
  end
  if unseen + group['pending'] > cap / 2 then return {length, ''} end
end
redis.call('XTRIM', key, 'MINID', '=', floors[2][2])
return {redis.call('XLEN', key), floors[1][1]}
"""
)

# A key of another type is for the append to complain of.
# An entry may be claimed once it was idle for long enough, so the consumer that leaves says it
# was. The count of deliveries stays: this was none. A consumer without entries is forgotten.
_HAND_BACK = """
local key, group, consumer, idle = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local known = redis.pcall('XPENDING', key, group, '-', '+', 10000, consumer)
if known.err then return 0 end
for _, row in ipairs(known) do
  redis.call('XCLAIM', key, group, consumer, 0, row[1], 'IDLE', idle, 'JUSTID')
end
if #known == 0 then redis.call('XGROUP', 'DELCONSUMER', key, group, consumer) end
return #known
"""

# What the consumer holds past that id is nothing. Not the very last id there can be: that one is
# answered without a look at the consumer. A group that is missing is for the next read to find.
_SHOW_LIFE = """
local key, group, consumer = KEYS[1], ARGV[1], ARGV[2]
redis.pcall('XGROUP', 'CREATECONSUMER', key, group, consumer)
redis.pcall('XREADGROUP', 'GROUP', group, consumer, 'STREAMS', key, '18446744073709551614-0')
return 1
"""

_FIELDS = """
local function fields(reply)
  local found = {}
  for i = 1, #reply, 2 do found[reply[i]] = reply[i + 1] end
  return found
end
local function consumers(key, group)
  local reply = redis.pcall('XINFO', 'CONSUMERS', key, group)
  return reply.err and {} or reply
end
"""

# What a consumer holds must be claimed before its name may go: deleting it would drop that.
_FORGET_IDLE = (
    _FIELDS
    + """
local key, idle, gone = KEYS[1], tonumber(ARGV[1]), 0
for i = 2, #ARGV do
  for _, reply in ipairs(consumers(key, ARGV[i])) do
    local consumer = fields(reply)
    if consumer['pending'] == 0 and consumer['idle'] >= idle then
      redis.call('XGROUP', 'DELCONSUMER', key, ARGV[i], consumer['name'])
      gone = gone + 1
    end
  end
end
return gone
"""
)

_QUIET = (
    _FIELDS
    + """
local least = -1
for _, reply in ipairs(consumers(KEYS[1], ARGV[1])) do
  local idle = fields(reply)['idle']
  if least < 0 or idle < least then least = idle end
end
return least
"""
)

_DISBAND = """
local gone = redis.pcall('XGROUP', 'DESTROY', KEYS[1], ARGV[1])
return type(gone) == 'number' and gone or 0
"""


async def lost(
    stream: Stream, context: str, group: str, waiting: Sequence[tuple[str, UUID]]
) -> set[UUID]:
    """Return which of these (stream id, event id) the stream will never give the group.

    The entry is gone or holds another event; or it was delivered and is not pending. Where the
    group is missing nothing was delivered: it will be created at the stream's first entry.
    """
    proven: set[UUID] = set()
    for start in range(0, len(waiting), _CHUNK):
        chunk = waiting[start : start + _CHUNK]
        words = [word for stream_id, event_id in chunk for word in (stream_id, str(event_id))]
        proven |= {UUID(text) for text in await stream.run_script(_LOST, context, group, *words)}
    return proven


@dataclass(frozen=True, slots=True)
class Trimmed:
    """What trimming left of a stream: its length, and who stood in the way.

    passed names the group whose unread entries were dropped because it alone held the stream at
    its cap; missing are registered groups the stream does not know, and nothing was dropped then.
    """

    length: int
    passed: str | None
    missing: list[str]


async def trim(
    stream: Stream, context: str, groups: Sequence[str], *, cap: int, unread: int
) -> Trimmed:
    """Drop what every one of these groups has acknowledged, going by their state alone.

    Where no group reads the stream, its newest entries stay, about as many as unread says.
    """
    length, passed, *missing = await stream.run_script(_TRIM, context, cap, unread, *groups)
    return Trimmed(length, passed or None, missing)


async def hand_back(
    stream: Stream, context: str, group: str, consumer: str, *, idle_s: float
) -> int:
    """Let others claim what a leaving consumer holds at once, and return how much that is."""
    idle_ms = round(idle_s * 1000) + 1
    return int(await stream.run_script(_HAND_BACK, context, group, consumer, idle_ms))


async def show_life(stream: Stream, context: str, group: str, consumer: str) -> None:
    """Have the engine note that a consumer is there, though it was given nothing for long.

    Redis before 7.2 knows a consumer from its first entry on, and takes reads that found nothing
    for silence.
    """
    await stream.run_script(_SHOW_LIFE, context, group, consumer)


async def forget_idle(stream: Stream, context: str, groups: Sequence[str], *, idle_s: float) -> int:
    """Delete consumers that were idle for so long and hold nothing; return how many went.

    One that is alive after all is made again by its next read.
    """
    idle_ms = round(idle_s * 1000)
    return int(await stream.run_script(_FORGET_IDLE, context, idle_ms, *groups))


async def quiet_s(stream: Stream, context: str, group: str) -> float | None:
    """Return how long ago a consumer of the group asked for anything, None when it has none."""
    idle_ms = int(await stream.run_script(_QUIET, context, group))
    return None if idle_ms < 0 else idle_ms / 1000


async def disband(stream: Stream, context: str, group: str) -> bool:
    """Remove a group with all it holds; False when there was none."""
    return bool(await stream.run_script(_DISBAND, context, group))
