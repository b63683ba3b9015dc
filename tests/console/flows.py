"""What `GET /v1/ops/flow` could answer, for tests of what is made of it."""

from typing import Any


def subscriber(name: str = "inventory", **more: object) -> dict[str, Any]:
    return {
        "name": name,
        "streams": ["orders"],
        "types": ["orders.order_created.v1"],
        "lag": 0,
        "pending": 0,
        "oldest_age_s": None,
        "critical_time_s": 0.01,
        "due": 0,
        "due_capped": False,
        "dead": 0,
        "dead_capped": False,
        "handled_per_s": 2.0,
        "last_read_s": 0.1,
        "paused": None,
        "held_back": None,
        **more,
    }


def stream(context: str = "orders", **more: object) -> dict[str, Any]:
    known = {"length": 4, "added_per_s": 2.0, "cap": 1000, "paused": False}
    return {"context": context, **known, **more}


def outbox(**more: object) -> dict[str, Any]:
    known = {"unpublished": 0, "unpublished_capped": False, "oldest_age_s": None}
    return {**known, "published_per_s": 2.0, **more}


def loop(name: str = "relay", **more: object) -> dict[str, Any]:
    return {"name": name, "state": "running", "beat_age_s": 0.1, "trouble": None, **more}


def sample(unpublished: int) -> dict[str, Any]:
    rates = {"recorded_per_s": 2.0, "published_per_s": 2.0, "handled_per_s": {}}
    return {"at": "2026-11-20T17:00:00Z", "unpublished": unpublished, "lag": {}, **rates}


def flow(**more: object) -> dict[str, Any]:
    """Return a flow where all is well, but for what is told."""
    return {
        "at": "2026-11-20T17:00:00Z",
        "database": {"kind": "sqlite", "version": "3.45"},
        "engine": {"kind": "valkey", "version": "9.1"},
        "warnings": [],
        "intake": {"recorded_per_s": 12.0},
        "outbox": outbox(),
        "streams": [stream()],
        "subscribers": [subscriber()],
        "loops": [loop()],
        "history": [],
        **more,
    }
