"""Appending a page to its streams in one step inside the engine."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

APPEND = """
local reply, refused = {}, false
for i = 1, #ARGV, 2 do
  local id = redis.pcall('XADD', KEYS[tonumber(ARGV[i])], '*', 'event', ARGV[i + 1])
  if type(id) == 'string' then reply[#reply + 1] = id else refused = refused or id end
end
if refused then return refused end
for _, key in ipairs(KEYS) do reply[#reply + 1] = redis.call('XLEN', key) end
return reply
"""
"""Takes pairs of the place of a key and an envelope; returns the ids, then each stream's length.

As whole as a MULTI: it is applied, replicated and kept as one, and an engine without memory
refuses it at the first XADD. But it is one command, where a MULTI costs the client, for every
entry, a command and two replies: four times as much.
"""


class Appended(NamedTuple):
    """The ids of appended entries in their order, and how long each context's stream is now."""

    ids: list[str]
    lengths: Mapping[str, int]


def pairs(events: Sequence[tuple[str, str]], contexts: Sequence[str]) -> list[str | bytes]:
    """Return the script's arguments for (context, envelope) pairs, with keys in this order."""
    places = {context: str(place) for place, context in enumerate(contexts, start=1)}
    arguments: list[str | bytes] = []
    for context, envelope in events:
        arguments += (places[context], envelope.encode())
    return arguments
