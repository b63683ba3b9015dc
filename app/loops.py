"""The loops that a process of each role runs."""

import os
import secrets
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from app.bus import stalled
from app.bus.consumer import Consumer, ConsumerPolicy
from app.bus.due import DueDeliveries, DuePolicy
from app.bus.handling import Handling
from app.bus.pause import Pauses
from app.bus.preflight import Preflight
from app.bus.reconcile import Reconcile, ReconcilePolicy
from app.bus.relay import Relay
from app.bus.retention import Forget, Retention, RetentionPolicy
from app.bus.solitude import Solitude
from app.bus.stream import Stream
from app.bus.subscriber import Subscriber
from app.bus.supervise import Loop
from app.bus.timer import Timer, TimerLoop
from app.bus.trim import Room, Trim
from app.bus.wakeup import Announcer, WakeUp, WakeUpReceiver
from app.db import Database
from app.errors import StartupError
from app.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Chores:
    """What the modules ask of the loops: to listen, to mind the clock, to forget in time."""

    subscribers: Sequence[Subscriber] = ()
    timers: Sequence[Timer] = ()
    forget: Sequence[Forget] = ()


def loops_of(  # noqa: PLR0913, PLR0917 - what the loops of a process share
    settings: Settings,
    chores: Chores,
    database: Database,
    stream: Stream,
    wake_up: WakeUp,
    pauses: Pauses,
) -> list[Loop]:
    """Return the loops of settings' role; raises StartupError on a subscriber nobody has."""
    loops: list[Loop] = []
    if not settings.embedded:
        loops += [Announcer(stream, wake_up), WakeUpReceiver(stream, wake_up)]
    if not settings.has_loops:
        return loops
    room = Room(settings.stream_cap)
    relay = Relay(database, stream, wake_up, room=room)
    loops += [relay, Trim(database, stream, room), pauses]
    keep = RetentionPolicy(days=settings.retention_days)
    loops += [Preflight(stream), Retention(database, keep, chores.forget)]
    timers = list(chores.timers)
    if not database.single_writer:
        timers.append(stalled.timer(after_s=settings.timeouts.idle_in_transaction_s))
    loops += [TimerLoop(database, timer) for timer in timers]
    after_s = settings.reconcile_after_s
    recheck = ReconcilePolicy(after_s=after_s, every_s=min(5.0, max(0.1, after_s / 3)))
    loops.append(Reconcile(database, stream, recheck))
    policy = ConsumerPolicy(
        batch=settings.batch,
        claim_idle_s=settings.claim_idle_s,
        handler_timeout_s=settings.handler_timeout_s,
    )
    name = _consumer_name(settings)
    due = DuePolicy(lease_s=settings.timeouts.lease_s, alone=settings.embedded)
    solitude = Solitude()
    backlogs = [relay.backlog]
    for subscriber in _chosen(settings, chores.subscribers):
        handling = Handling(database, subscriber, timeout_s=settings.handler_timeout_s)
        consumer = Consumer(
            database, stream, subscriber, name, policy, solitude=solitude, pauses=pauses
        )
        loops.append(consumer)
        backlogs.append(consumer.backlog)
        loops.append(
            DueDeliveries(
                database,
                subscriber,
                handling,
                due,
                backlog=consumer.backlog,
                solitude=solitude,
                pauses=pauses,
            )
        )
    database.is_behind = lambda: any(backlog.waiting for backlog in backlogs)
    return loops


def _chosen(settings: Settings, subscribers: Sequence[Subscriber]) -> list[Subscriber]:
    """Return the subscribers this process runs; raises StartupError on a name nobody has."""
    known = {subscriber.name: subscriber for subscriber in subscribers}
    for name in settings.subscribers:
        if name not in known:
            msg = f"APP_SUBSCRIBERS names {name!r}, and this build has {', '.join(sorted(known))}."
            raise StartupError(msg)
    return [known[name] for name in settings.subscribers] or list(subscribers)


def _consumer_name(settings: Settings) -> str:
    """Return this process's name in its groups: fixed when embedded, else never seen before."""
    if settings.embedded:
        return "embedded"
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
