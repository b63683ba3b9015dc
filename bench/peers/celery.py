"""Celery on Redis: `python -m bench.peers.celery work`, or `feed - N`.

From its documentation, "Optimizing" and "Configuration": prefork with as many processes as cores,
a prefetch of 64 per process for short tasks, acknowledged late so that a crash loses nothing,
no results, no events, and none of gossip, mingle and heartbeat. The handler is the sync ORM.
"""

import os
import sys
from functools import cache

from celery import Celery
from celery.signals import worker_ready
from sqlalchemy import create_engine, make_url
from sqlalchemy.orm import Session, sessionmaker

from bench.peers.handler import Created, events, reserve_sync
from bench.peers.serving import database_url, redis_url, say_ready, wait_for_leave

app = Celery("bench", broker=redis_url().replace("unix://", "redis+socket://"))
app.conf.update(
    task_acks_late=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=64,
    worker_send_task_events=False,
    # Standard output is where the bench listens.
    worker_redirect_stdouts=False,
    broker_connection_retry_on_startup=True,
)


@cache
def sessions() -> sessionmaker[Session]:
    """Return the sessions of this process: the pool must not be shared over a fork."""
    engine = create_engine(make_url(database_url()).set(drivername="postgresql+psycopg"))
    return sessionmaker(engine, expire_on_commit=False)


@app.task(name="reserve")
def reserve_stock(event: Created) -> None:
    """Handle one event."""
    reserve_sync(sessions(), event)


@worker_ready.connect
def started(**_: object) -> None:
    """Say so."""
    say_ready()


if __name__ == "__main__":
    if sys.argv[1] == "feed":
        with app.producer_pool.acquire(block=True) as producer:
            made = events(int(sys.argv[3]))
            wait_for_leave()
            for each in made:
                reserve_stock.apply_async((each,), producer=producer)
    else:
        worker = ["celery", "-A", "bench.peers.celery", "worker", "--pool", "prefork"]
        quiet = ["-l", "ERROR", "--without-gossip", "--without-mingle", "--without-heartbeat"]
        more = ["--concurrency", str(os.cpu_count() or 2), *quiet]
        os.execv(sys.executable, [sys.executable, "-m", *worker, *more])
