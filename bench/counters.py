"""What PostgreSQL and Redis count by themselves: transactions, log, commands, bytes."""

from typing import Any

import psycopg
import redis

from bench.peers.tables import plain
from bench.servers import Servers

# A transaction has a number once it writes, so those that found nothing to do are not in here.
_SQL = """
SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint,
       (pg_current_wal_insert_lsn() - '0/0')::bigint,
       pg_database_size(current_database())
"""


class Counters:
    """Reads the counters of both engines before and after work; of the servers, not of a case."""

    def __init__(self, servers: Servers, database: str) -> None:
        self._engine = redis.Redis.from_url(servers.stream_url, decode_responses=True)
        self._database = plain(database)
        self._before = self._read()

    def _read(self) -> dict[str, float]:
        with psycopg.connect(self._database, autocommit=True) as connection:
            [[transactions, written, stored]] = connection.execute(_SQL).fetchall()
        stats: dict[str, Any] = self._engine.info("stats")
        commands: dict[str, Any] = self._engine.info("commandstats")
        return {
            "commits": float(transactions),
            "WAL bytes": float(written),
            "stored bytes": float(stored),
            "Redis commands": float(stats["total_commands_processed"]),
            "wake-ups": float(commands.get("cmdstat_publish", {}).get("calls", 0)),
            "Redis bytes in": float(stats["total_net_input_bytes"]),
            "Redis bytes out": float(stats["total_net_output_bytes"]),
        }

    def since(self, units: int) -> dict[str, float]:
        """Return what was counted per unit since this was made."""
        after = self._read()
        self._engine.close()
        return {name: (after[name] - self._before[name]) / units for name in after}
