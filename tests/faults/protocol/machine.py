"""Histories: what clients, processes, engines, operators and time can do, in any order."""

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from app.bus import outbox
from app.bus.dead_letters import Filter
from app.bus.delivery import State
from app.bus.event import Event, new_id
from app.bus.redrive import discard, redrive, redrive_all
from app.bus.replay import Span, fill, replay
from tests.bus.sample import Rang, subscribed
from tests.faults.protocol.history import History
from tests.faults.protocol.script import Tolled, subscribers
from tests.faults.protocol.world import Fault, Worker

_STRIKES: list[Fault] = [
    (kind, at) for kind in ("crash", "freeze", "trouble") for at in range(1, 9)
]
# Half the time nothing strikes, or no history would come far.
FAULTS = st.sampled_from([*[None] * len(_STRIKES), *_STRIKES])
_FINE: list[str] = []
_FAILURES = [
    ["raise"],
    ["raise"] * 2,
    ["raise"] * 99,
    ["raise", "give up"],
    ["give up"],
    ["waive"],
    ["die"],
    ["die"] * 4,
]
_BATCH_FAILURES = [["fail"], ["fail"] * 2, ["fail"] * 99, ["fail for good"]]
WORDS = st.sampled_from([*[_FINE] * 4, *_FAILURES])
BATCH_WORDS = st.sampled_from([*[_FINE] * 6, *_FAILURES, *_BATCH_FAILURES])
WORKERS = st.integers(0, 1)
NAMES = st.sampled_from(["ears", "ears", "echo", "echo", "late-now", "late-fill"])


class Undone(Exception):  # noqa: N818 - what it says
    """A client changes its mind before the commit."""


class Histories(History):
    """Every rule is something that can happen at any time."""

    # Clients

    @initialize(ears=st.tuples(*[WORDS] * 5), echo=st.tuples(*[BATCH_WORDS] * 5))
    def begin(self, ears: tuple[list[str], ...], echo: tuple[list[str], ...]) -> None:
        """Start with something to do: not every history lets clients do anything."""
        kinds: list[type[Event]] = [Rang, Tolled, Rang, Rang, Tolled]
        for kind, mine, theirs in zip(kinds, ears, echo, strict=True):
            self.commit(self.events(mine, theirs, [kind]), None)

    @rule(
        ears=WORDS,
        echo=BATCH_WORDS,
        kinds=st.lists(st.sampled_from([Rang, Tolled]), min_size=1, max_size=3),
        fault=FAULTS,
    )
    def publish(
        self, ears: list[str], echo: list[str], kinds: list[type[Event]], fault: Fault
    ) -> None:
        if fault is not None and fault[0] == "freeze":
            fault = None
        self.commit(self.events(ears, echo, kinds), fault)

    @rule(kind=st.sampled_from([Rang, Tolled]))
    def publish_and_roll_back(self, kind: type[Event]) -> None:
        events = self.events((), (), [kind])

        async def work() -> None:
            async with self.world.database.write() as session:
                await outbox.publish(session, *events)
                raise Undone

        try:
            self.world.run(work)
        except Undone:
            self.model.rolled_back |= {event.id.hex for event in events}

    # Processes

    @rule(fault=FAULTS)
    def relay(self, fault: Fault) -> None:
        self.loop("relay", self.world.loops.relay.publish_page, fault)

    @rule(fault=FAULTS)
    def trim(self, fault: Fault) -> None:
        self.loop("trim", self.world.loops.trim.run_round, fault)

    @rule(fault=FAULTS)
    def reconcile(self, fault: Fault) -> None:
        self.reconcile_once(fault)

    @rule(fault=FAULTS)
    def prune(self, fault: Fault) -> None:
        self.loop("retention", self.world.loops.retention.run_round, fault)

    @rule(number=WORKERS, name=NAMES, count=st.sampled_from([1, 3]), fault=FAULTS)
    def consume(self, number: int, name: str, count: int, fault: Fault) -> None:
        self.work(number, "stream", name, lambda worker, name: worker.consume(name, count), fault)

    @rule(number=WORKERS, name=NAMES, fault=FAULTS)
    def take_over(self, number: int, name: str, fault: Fault) -> None:
        self.work(number, "stream", name, Worker.take_over, fault)

    @rule(number=WORKERS, name=NAMES, fault=FAULTS)
    def run_due(self, number: int, name: str, fault: Fault) -> None:
        self.work(number, "due", name, Worker.run_due, fault)

    @rule(number=WORKERS, rounds=st.integers(1, 3))
    def all_goes_well(self, number: int, rounds: int) -> None:
        """Move everything on, so that histories come to where the later rules have work."""
        for _ in range(rounds):
            self.loop("relay", self.world.loops.relay.publish_page, None)
            for name in self.world.names:
                self.work(number, "stream", name, Worker.consume, None)
                self.work(number, "due", name, Worker.run_due, None)

    @rule(number=WORKERS, old=st.booleans(), renamed=st.booleans())
    def restart(self, number: int, old: bool, renamed: bool) -> None:  # noqa: FBT001 - Hypothesis calls by name
        """Kill a worker and start it again: perhaps another build, perhaps by another name."""
        self.world.kill(f"w{number}/")
        self.model.harmed = True
        self.model.old_builds |= old
        name = f"w{number}-{new_id().hex[-6:]}" if renamed else self.world.workers[number].name
        self.world.restart_worker(number, name, old=old)

    @rule()
    def restart_the_loops(self) -> None:
        self.world.kill("loops/")
        self.world.restart_loops()

    @rule(data=st.data())
    @precondition(lambda self: self.world.frozen)
    def thaw(self, data: st.DataObject) -> None:
        who = data.draw(st.sampled_from(self.world.frozen))
        self.go_on(who)

    # The stream engine

    @rule()
    def flush(self) -> None:
        for key in self.world.own_keys():
            self.world.engine.delete(key)

    @rule(name=NAMES)
    def destroy_the_group(self, name: str) -> None:
        for key in self.world.streams():
            self.world.engine.xgroup_destroy(key, name)

    @rule(left=st.integers(0, 3))
    def trim_by_hand(self, left: int) -> None:
        for key in self.world.streams():
            self.world.engine.xtrim(key, maxlen=left, approximate=False)

    @rule(which=st.integers(0, 30))
    def append_again(self, which: int) -> None:
        """Put a second copy of an event on its stream."""
        rows = self.model.ask("SELECT context, envelope FROM outbox")
        if rows:
            row = rows[which % len(rows)]
            self.world.append(row["context"], row["envelope"])

    @rule(text=st.sampled_from(["", "no event", '{"type": "bells.bell_rang.v1"}']))
    def append_something_else(self, text: str) -> None:
        self.world.append("bells", text)

    @rule()
    def fall_behind(self) -> None:
        """Let the engine's replica be as the engine is now, and stay so."""
        self.saved = {key: self.world.engine.dump(key) for key in self.world.streams()}

    @rule()
    def fail_over(self) -> None:
        """Go on with the replica: what it never learned of is lost, groups and all."""
        self.flush()
        for key, value in self.saved.items():
            self.world.engine.restore(key, 0, value)

    @rule()
    def spoil(self) -> None:
        """Put another thing in the place of a stream, until it is flushed or taken away."""
        self.world.engine.set(self.world.stream.key("bells"), "no stream")

    # Time and operators

    @rule(seconds=st.sampled_from([2.0, 20.0, 40.0, 1_000.0, 90_000.0, 15 * 86_400.0]))
    def advance(self, seconds: float) -> None:
        self.world.clock.advance(seconds)

    @rule()
    def weeks_go_by(self) -> None:
        """Let everything grow old enough to be pruned."""
        for _ in range(2):
            self.world.clock.advance(15 * 86_400.0)
            self.loop("retention", self.world.loops.retention.run_round, None)

    @rule(name=st.sampled_from(["late-now", "late-fill"]))
    @precondition(lambda self: len(self.world.names) < 4)
    def join(self, name: str) -> None:
        """Deploy a new subscriber; the workers there are start to run it."""
        if name in self.world.names:
            return
        self.model.joins(name, filled=name == "late-fill")
        [newest] = subscribers(self.world.script, [name], old=False)
        self.world.run(lambda: subscribed(self.world.inner, newest))
        self.world.add(name)

    @rule()
    def fill_late(self) -> None:
        if "late-now" in self.world.names:
            expected = self.model.fills("late-now")
            assert (
                self.operate(lambda session: fill(session, "late-now", who="op")).total == expected
            )

    @rule(name=NAMES, since=st.integers(0, 12))
    def replay(self, name: str, since: int) -> None:
        if name in self.world.names:
            expected = self.model.replays(name, since)
            span = Span(from_log_position=since)
            action = self.operate(lambda session: replay(session, name, span, who="op"))
            assert action.total == expected

    @rule(which=st.integers(0, 9), fault=FAULTS, state=st.sampled_from(["dead", "discarded"]))
    def redrive_one(self, which: int, fault: Fault, state: str) -> None:
        pair = self.given_up(which, state)
        if pair is None or (fault is not None and fault[0] == "freeze"):
            return
        newest = subscribers(self.world.script, self.world.names, old=False)
        self.act("api", lambda: redrive(self.world.database, newest, *pair, who="op"), fault)

    @rule(state=st.sampled_from([State.DEAD, State.DISCARDED]))
    def redrive_many(self, state: State) -> None:
        self.operate(lambda session: redrive_all(session, Filter(state=state), who="op"))

    @rule(which=st.integers(0, 9))
    def discard(self, which: int) -> None:
        pair = self.given_up(which, "dead")
        if pair is not None:
            self.operate(lambda session: discard(session, *pair, who="op", reason="enough"))
