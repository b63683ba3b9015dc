"""One history: what is done to the world by whom, and what must hold after each step."""

import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar
from uuid import UUID

from hypothesis.stateful import RuleBasedStateMachine, invariant
from structlog.testing import capture_logs

from app.bus import outbox
from app.bus.event import Event
from app.verify import verify
from tests.faults.protocol.model import Model
from tests.faults.protocol.world import Ending, Fault, Worker, World

ROUNDS = 60


class History(RuleBasedStateMachine):
    """The world is real; what must hold is checked after every step, and at rest."""

    make: ClassVar[Callable[[], World]]

    def __init__(self) -> None:
        super().__init__()
        self._quiet = capture_logs()
        self._quiet.__enter__()
        self.world = type(self).make()
        self.model = Model(self.world.path, self.world.script)
        self.bells = 0
        self.saved: dict[Any, bytes] = {}

    def teardown(self) -> None:
        """Come to rest, unless something was wrong before; and end."""
        try:
            if sys.exc_info()[0] is None:
                self.comes_to_rest()
        finally:
            self.model.close()
            self.world.close()
            self._quiet.__exit__(None, None, None)

    def events(
        self, ears: Sequence[str], echo: Sequence[str], kinds: Sequence[type[Event]]
    ) -> list[Any]:
        events = []
        for kind in kinds:
            self.bells += 1
            bell = f"b{self.bells}"
            for name, words in (
                ("ears", ears),
                ("late-now", ears),
                ("late-fill", ears),
                ("echo", echo),
            ):
                self.world.script.write(name, bell, words)
            events.append(kind.model_validate({"bell": bell}))
            # Only the first of a transaction is poison.
            ears = echo = ()
        return events

    def commit(self, events: list[Any], fault: Fault) -> None:
        async def work() -> None:
            async with self.world.database.write() as session:
                await outbox.publish(session, *events)

        ending = self.act("client", work, fault)
        ids = {event.id.hex for event in events}
        there = ids & self.model.learn().outbox.keys()
        assert there in (ids, set()), "a transaction is there in part"
        if ending == "done":
            self.model.committed |= ids

    def act(self, who: str, work: Callable[[], Awaitable[Any]], fault: Fault) -> Ending:
        ending = self.world.act(who, work, fault)
        self.model.harmed |= ending != "done"
        return ending

    def loop(self, who: str, work: Callable[[], Awaitable[Any]], fault: Fault) -> Ending:
        ending = self.act(f"loops/{who}", work, fault)
        if ending == "died":
            self.world.restart_loops()
        return ending

    def reconcile_once(self, fault: Fault) -> None:
        """Reconcile, and see that nothing is called lost that is on its way; unless it froze.

        Then it looked at another time, and what it does now is judged by what comes of it.
        """
        thawed = "loops/reconcile" in self.world.frozen
        way = set() if thawed else self.world.on_their_way(self.model.published())
        self.loop("reconcile", self.world.loops.reconcile.run_round, fault)
        assert not way & self.model.lost(), "called lost while on its way"

    def work(
        self,
        number: int,
        what: str,
        name: str,
        work: Callable[[Worker, str], Awaitable[Any]],
        fault: Fault,
    ) -> Ending:
        """Have a worker do something; one that dies comes back under its name."""
        worker = self.world.workers[number]
        if not worker.knows(name):
            return "done"
        ending = self.act(f"w{number}/{name}/{what}", lambda: work(worker, name), fault)
        if ending == "died":
            self.world.restart_worker(number, worker.name, old=worker.old)
        elif ending == "had trouble" and what == "stream":
            worker.disconnect(name)
        return ending

    def go_on(self, who: str) -> None:
        process, *rest = who.split("/")
        if process == "loops":
            self.loop(rest[0], _nothing, None)
        else:
            self.work(int(process[1:]), rest[1], rest[0], lambda *_: _nothing(), None)

    def given_up(self, which: int, state: str) -> tuple[str, UUID] | None:
        found = self.model.ask(
            "SELECT subscriber, delivery.event_id FROM delivery JOIN outbox USING (event_id)"  # noqa: S608 - a word of ours
            f" WHERE state = '{state}' ORDER BY position, subscriber"
        )
        if not found:
            return None
        subscriber, event_id = found[which % len(found)]
        return subscriber, UUID(event_id)

    def operate(self, work: Callable[[Any], Awaitable[Any]]) -> Any:  # noqa: ANN401 - an action
        async def whole() -> Any:  # noqa: ANN401 - as above
            async with self.world.inner.write() as session:
                return await work(session)

        return self.world.run(whole)

    @invariant()
    def nothing_is_wrong(self) -> None:
        agree(self.model.wrong())

    def comes_to_rest(self) -> None:
        """Let others do all there is, let the frozen wake up, then send everything once more."""
        self.drain()
        for who in self.world.frozen:
            self.go_on(who)
            self.nothing_is_wrong()
        for event in self.model.known.values():
            self.world.append(event.context, event.envelope)
        self.drain()
        agree(self.model.left_over())
        report = self.world.run(
            lambda: verify(self.world.inner, self.world.stream, second_look_s=0)
        )
        assert report.violations == 0, report.offenders

    def drain(self) -> None:
        """Run everything with a worker that was not there before, until nothing is left to do."""
        for who in [one for one in self.world.frozen if one.startswith("loops/")]:
            self.go_on(who)
        key = self.world.stream.key("bells")
        if self.world.engine.type(key) == b"string":
            self.world.engine.delete(key)
        self.world.workers.append(Worker(self.world, f"w{len(self.world.workers)}"))
        number = len(self.world.workers) - 1
        for _ in range(ROUNDS):
            self.world.clock.advance(50.0)
            self.loop("relay", self.world.loops.relay.publish_page, None)
            self.world.clock.advance(50.0)
            self.reconcile_once(None)
            for name in self.world.names:
                self.work(number, "stream", name, Worker.take_over, None)
                self.work(number, "stream", name, Worker.consume, None)
                self.work(number, "due", name, Worker.run_due, None)
            self.loop("trim", self.world.loops.trim.run_round, None)
            self.nothing_is_wrong()
            if not self.model.unsettled():
                return
        agree(self.model.unsettled())


def agree(wrong: list[str]) -> None:
    """Raise AssertionError when something is wrong, and say what."""
    if wrong:
        raise AssertionError("; ".join(wrong))


async def _nothing() -> None:
    """Nothing more than to go on."""
