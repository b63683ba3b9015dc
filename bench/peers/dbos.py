"""DBOS: `python -m bench.peers.dbos work`, or `feed - N`.

From its documentation, "Queues & Concurrency": a queue in PostgreSQL that is polled (ten times a
second here, once by default), enqueued to by a DBOSClient, and the handler as one workflow with one
step, by the sync ORM, on as many threads as the pool of the database has connections.
"""

import sys
import threading

from dbos import DBOS, DBOSClient, DBOSConfig
from sqlalchemy import create_engine, make_url
from sqlalchemy.orm import sessionmaker

from bench.peers.handler import Created, events, reserve_sync
from bench.peers.serving import database_url, say_ready, spare_the_collector, wait_for_leave
from bench.peers.tables import plain

QUEUE, VERSION, THREADS = "orders", "bench", 16


@DBOS.workflow(name="reserve")
def reserve_stock(event: Created) -> None:
    """Handle one event."""
    hold(event)


@DBOS.step(name="hold")
def hold(event: Created) -> None:
    """Do the work of it."""
    reserve_sync(sessions, event)


sessions = sessionmaker(
    create_engine(
        make_url(database_url()).set(drivername="postgresql+psycopg"),
        pool_size=THREADS,
        max_overflow=0,
    ),
    expire_on_commit=False,
)


def work() -> None:
    """Consume until told to end."""
    config: DBOSConfig = {
        "name": "bench",
        "system_database_url": plain(database_url()),
        "sys_db_pool_size": THREADS,
        "max_executor_threads": THREADS,
        "application_version": VERSION,
        "log_level": "ERROR",
    }
    DBOS(config=config)
    DBOS.launch()
    DBOS.register_queue(QUEUE, worker_concurrency=4 * THREADS, polling_interval_sec=0.1)
    spare_the_collector()
    say_ready()
    threading.Event().wait()


def feed(count: int) -> None:
    """Lay out so many events."""
    client = DBOSClient(system_database_url=plain(database_url()))
    made = events(count)
    wait_for_leave()
    for event in made:
        client.enqueue(
            {"workflow_name": "reserve", "queue_name": QUEUE, "app_version": VERSION}, event
        )
    client.destroy()


if __name__ == "__main__":
    work() if sys.argv[1] == "work" else feed(int(sys.argv[3]))
