"""How the peers' processes run: uvloop, the collector settings of ours, no log per request."""

import asyncio
import gc
import os
import socket
import sys
from collections.abc import Coroutine
from typing import Any

import uvicorn
import uvloop
from fastapi import FastAPI


def database_url() -> str:
    """Return the database this peer was given."""
    return os.environ["BENCH_DATABASE"]


def redis_url() -> str:
    """Return the stream engine this peer was given."""
    return os.environ["BENCH_STREAM"]


def spare_the_collector() -> None:
    """Set the collector as ours is set, though no peer's documentation says so: see `serve`.

    It spares the plain ORM some 15 % too, and it is not what is compared.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def say_ready(address: str = "") -> None:
    """Tell the bench that work can come."""
    print(f"ready {address}", flush=True)


def wait_for_leave() -> None:
    """Say that the work is made up, and wait until it may be laid out."""
    say_ready()
    sys.stdin.readline()


def serve(app: FastAPI) -> None:
    """Serve an application on a free port and say where."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    config = uvicorn.Config(
        app, loop="uvloop", http="httptools", access_log=False, log_level="warning"
    )
    server = uvicorn.Server(config)
    spare_the_collector()
    say_ready(f"http://127.0.0.1:{listener.getsockname()[1]}/orders")
    uvloop.run(server.serve(sockets=[listener]))


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a worker until it is told to end."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)
