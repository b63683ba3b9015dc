"""What a stream holds and how far its groups are: one script per stream, nothing it scans.

XINFO and the summary of XPENDING know all of it without going through entries; the details add the
consumers and at most some of the pending entries.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from app.bus.stream import Stream

_VIEW = """
local key, most = KEYS[1], tonumber(ARGV[1])
local function fields(reply)
  local found = {}
  for i = 1, #reply, 2 do found[reply[i]] = reply[i + 1] end
  return found
end
local time = redis.call('TIME')
local now = time[1] .. string.format('%06d', time[2])
if redis.call('TYPE', key).ok ~= 'stream' then return {now, 0, 0, '', '', {}} end
local stream = fields(redis.call('XINFO', 'STREAM', key))
local first, last = stream['first-entry'], stream['last-entry']
local groups = {}
for _, reply in ipairs(redis.call('XINFO', 'GROUPS', key)) do
  local group = fields(reply)
  local name, oldest, unread = group['name'], '', ''
  local consumers, pending, quiet = {}, {}, -1
  if group['pending'] > 0 then oldest = redis.call('XPENDING', key, name)[2] end
  local next = redis.call('XRANGE', key, '(' .. group['last-delivered-id'], '+', 'COUNT', 1)[1]
  if next then unread = next[1] end
  for _, each in ipairs(redis.call('XINFO', 'CONSUMERS', key, name)) do
    local consumer = fields(each)
    if quiet < 0 or consumer['idle'] < quiet then quiet = consumer['idle'] end
    if most > 0 then
      consumers[#consumers + 1] = {
        consumer['name'], consumer['pending'], consumer['idle'], consumer['inactive'] or -1
      }
    end
  end
  if most > 0 then pending = redis.call('XPENDING', key, name, '-', '+', most) end
  groups[#groups + 1] = {
    name, group['pending'], group['lag'] or -1, group['last-delivered-id'],
    group['entries-read'] or -1, oldest, unread, quiet, consumers, pending
  }
end
return {
  now, stream['length'], stream['entries-added'] or stream['length'],
  first and first[1] or '', last and last[1] or '', groups
}
"""


@dataclass(frozen=True, slots=True)
class ConsumerView:
    """One consumer: what it holds unacknowledged, and for how long it has not asked, in seconds.

    inactive_s is how long it was given nothing; None where the engine does not tell (Redis 7.0).
    """

    name: str
    pending: int
    idle_s: float
    inactive_s: float | None


@dataclass(frozen=True, slots=True)
class PendingEntry:
    """An entry that a consumer was given and has not acknowledged."""

    entry_id: str
    consumer: str
    idle_s: float
    deliveries: int


@dataclass(frozen=True, slots=True)
class GroupView:
    """How far a group is.

    lag is how many entries it has not read yet; None where the engine has lost count, as after a
    group was moved. oldest_age_s tells how long ago the oldest entry was appended that it has not
    acknowledged; quiet_s how long ago a consumer of it last asked, None when it has none.
    """

    subscriber: str
    pending: int
    lag: int | None
    last_delivered_id: str
    entries_read: int | None
    oldest_age_s: float | None
    quiet_s: float | None
    consumers: Sequence[ConsumerView]
    oldest_pending: Sequence[PendingEntry]

    @property
    def handled(self) -> int | None:
        """How many entries it has acknowledged since the stream began."""
        return None if self.entries_read is None else self.entries_read - self.pending


@dataclass(frozen=True, slots=True)
class StreamView:
    """A context's stream; added counts every entry it ever got since it was created."""

    context: str
    length: int
    added: int
    first_id: str | None
    last_id: str | None
    last_at: datetime | None
    groups: Sequence[GroupView]


async def stream_view(stream: Stream, context: str, *, most_pending: int = 0) -> StreamView:
    """Return what a stream holds; with most_pending, its consumers and so many oldest entries.

    A stream that is not there, or is no stream, is an empty one. Raises StreamUnavailableError.
    """
    now, length, added, first, last, groups = await stream.run_script(_VIEW, context, most_pending)
    now_ms = int(now) / 1000
    return StreamView(
        context=context,
        length=length,
        added=added,
        first_id=first or None,
        last_id=last or None,
        last_at=datetime.fromtimestamp(_ms(last) / 1000, UTC) if last else None,
        groups=[_group(group, now_ms) for group in groups],
    )


def _group(reply: list[Any], now_ms: float) -> GroupView:
    name, pending, lag, delivered, read, oldest, unread, quiet_ms, consumers, entries = reply
    waiting = [_ms(id_) for id_ in (oldest, unread) if id_]
    return GroupView(
        subscriber=name,
        pending=pending,
        lag=None if lag < 0 else lag,
        last_delivered_id=delivered,
        # A group that was given nothing yet has not begun to count.
        entries_read=0 if delivered == "0-0" else None if read < 0 else read,
        oldest_age_s=round(max(0.0, now_ms - min(waiting)) / 1000, 3) if waiting else None,
        quiet_s=None if quiet_ms < 0 else quiet_ms / 1000,
        consumers=[
            ConsumerView(one, holds, idle / 1000, None if inactive < 0 else inactive / 1000)
            for one, holds, idle, inactive in consumers
        ],
        oldest_pending=[
            PendingEntry(id_, one, idle / 1000, deliveries)
            for id_, one, idle, deliveries in entries
        ],
    )


def _ms(entry_id: str) -> int:
    return int(entry_id.partition("-")[0])
