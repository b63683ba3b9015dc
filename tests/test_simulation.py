"""The simulation of docs/scaling.md: its arithmetic against what theory says, and the page."""

import random
from dataclasses import replace

import pytest

from bench import simulation
from bench.clockwork import Clock, Pass, Process, Resource
from bench.costs import BATCH, DECIDE, EVENTS, HOPS, INTAKE, Costs, Hop, Line, Markup, newest
from bench.model import Model, Site
from bench.report import Results, put_into
from bench.sizing import UTILISATION, ceilings, natural, plan, seconds

NOTHING = Line(0.0, 0.0)
HOP = Hop(app=Line(1e-3, 2e-5), database=Line(1e-3, 3e-5), engine=Line(0.0, 2e-6))


def costs(**hops: Hop) -> Costs:
    """Return costs that are the same for each hop, but for those that are given."""
    order = (
        *("database µs", "engine µs", "WAL bytes", "stored bytes"),
        *("Redis commands", "Redis bytes in", "Redis bytes out"),
    )
    return Costs(
        parts={name: hops.get(name.partition(" ")[0], HOP) for name in HOPS},
        hot_part=HOP,
        markup=Markup(1.0, 1.0, 1.0),
        sync_s=1e-4,
        cores=2,
        pressed=dict.fromkeys(order, 100.0),
        scaled={},
    )


def test_a_line_is_found_again_through_its_points() -> None:
    line = Line(0.002, 0.00005)

    found = Line.through([(size, line.of(size)) for size in (1, 10, 50, 500)])

    assert (found.fixed_s, found.each_s) == pytest.approx((line.fixed_s, line.each_s))


@pytest.mark.parametrize(
    ("points", "fixed_s", "each_s"),
    [
        # A batch that cost less the larger it was, and one whose fixed part came out negative.
        ([(1, 0.003), (500, 0.001)], 0.0012, 0.0),
        ([(1, 0.001), (10, 0.02), (100, 0.2)], 0.0, 0.00133),
        ([(7, 0.007)], 0.0, 0.001),
        ([(1, 0.0), (500, 0.0)], 0.0, 0.0),
    ],
)
def test_no_part_of_a_line_is_negative(
    points: list[tuple[float, float]], fixed_s: float, each_s: float
) -> None:
    found = Line.through(points)

    assert (found.fixed_s, found.each_s) == pytest.approx((fixed_s, each_s), rel=0.1)


@pytest.mark.parametrize("use", [0.5, 0.7])
def test_a_queue_waits_as_long_as_the_formula_of_pollaczek_and_khinchine_says(use: float) -> None:
    clock, chance, waited = Clock(), random.Random(3), []
    server, served_s, customers = Resource(clock), 0.01, 40_000

    def customer() -> Process:
        came = clock.now
        yield server
        waited.append(clock.now - came)
        yield Pass(served_s)
        server.give()

    def door() -> Process:
        for _ in range(customers):
            clock.start(customer())
            yield Pass(chance.expovariate(use / served_s))

    clock.start(door())
    clock.run(1e9)

    # Of M/D/1, whose service times are all alike.
    expected = use / (1 - use) * served_s / 2
    assert len(waited) == customers
    assert sum(waited) / customers == pytest.approx(expected, rel=0.1)


def test_cores_are_shared_in_turns_and_none_is_lent_twice() -> None:
    clock = Clock()
    cores, ended = Resource(clock, 2), []

    def work(seconds: float) -> Process:
        yield from cores.held(seconds)
        ended.append((round(clock.now, 6), seconds))

    for seconds_ in (0.3, 0.3, 0.3, 0.01):
        clock.start(work(seconds_))
    clock.run(10)

    # The short one does not wait for the long ones, and 0.91 s of work on two cores take half.
    assert ended[0][1] == 0.01
    assert ended[0][0] == pytest.approx(0.02, abs=0.002)
    assert clock.now == pytest.approx(0.91 / 2, abs=0.002)


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_every_order_of_a_backlog_is_confirmed_once_and_no_core_does_more_than_it_can(
    workers: int,
) -> None:
    known = costs()
    model = Model(known, Site(apis=1, workers=workers, shared_cores=2))

    seen = model.drain(3000)

    assert len(seen.waits_s) == 3000
    assert sum(seen.used.values()) <= 2.001
    assert seen.used["workers"] <= min(2, workers) + 0.001
    again = Model(known, Site(apis=1, workers=workers, shared_cores=2)).drain(3000)
    assert again.seconds == seen.seconds


def test_a_steady_rate_is_confirmed_as_fast_as_it_comes_and_a_trip_shows_in_the_time() -> None:
    near = Site(apis=2, workers=2)
    seen = Model(costs(), near).steady(500, 5)
    far = Model(costs(), replace(near, trip_s=0.005)).steady(500, 5)

    assert len(seen.waits_s) == pytest.approx(0.9 * 500 * 5, rel=0.06)
    assert seen.quantile_ms(0.5) < seen.quantile_ms(0.99)
    # Five hops of six trips each, and each waits for the one before it too.
    assert far.quantile_ms(0.5) - seen.quantile_ms(0.5) > 5 * 6 * 5


def test_batches_that_want_the_same_stock_take_turns() -> None:
    slow = {"inventory": Hop(NOTHING, Line(0.0, 1e-3), NOTHING), "orders": HOP}
    few, many = (Site(apis=1, workers=4, skus=skus) for skus in (10, 10**9))

    meeting = Model(costs(**slow), few).drain(4000)
    apart = Model(costs(**slow), many).drain(4000)

    assert meeting.seconds > 4.0
    assert apart.seconds < meeting.seconds / 2


def test_a_natural_batch_is_what_comes_while_the_one_before_is_under_way() -> None:
    known = costs()
    for rate in (500, 3000):
        size = natural(known, HOP, rate)
        assert size == pytest.approx(rate * seconds(known, HOP, size))
    assert natural(known, HOP, 1) == 1
    assert natural(known, HOP, 10**6) == BATCH


@pytest.mark.parametrize("rate", [1_000, 10_000, 100_000])
def test_a_plan_takes_its_rate_with_nothing_above_its_limit_and_no_shard_to_spare(
    rate: int,
) -> None:
    known = costs()
    found = plan(known, rate)

    assert max(found.uses.values()) <= UTILISATION
    assert found.workers >= 2 * found.shards <= found.apis
    narrowest = min(value for name, value in ceilings(known).items() if "at a time" in name)
    assert (found.shards - 1) * UTILISATION * narrowest < rate


def test_costs_are_read_out_of_a_kept_run() -> None:
    found = Costs.of(Results.load(newest()))

    assert set(found.hops) == set(HOPS)
    assert found.hops[DECIDE].app.each_s > 0
    assert found.hops[INTAKE].app.fixed_s > 0
    # A batch is what makes an order cheap: alone it costs many times its share of a full one.
    one, full = (seconds(found, found.hops[DECIDE], size) / size for size in (1, BATCH))
    assert one > 5 * full


def _lines(hop: Hop) -> tuple[Line, Line, Line]:
    return hop.app, hop.database, hop.engine


def test_the_whole_way_is_as_dear_as_it_was_measured_in_one_worker() -> None:
    row = {"worker µs": 300.0, "database µs": 400.0, "engine µs": 20.0}

    found = costs().as_dear_as(row)

    hops = [found.hops[name] for name, passes in EVENTS.items() for _ in range(passes)]
    spent = [
        sum(line.of(BATCH) for line in lines) for lines in zip(*map(_lines, hops), strict=True)
    ]
    assert [1e6 * each / BATCH for each in spent] == pytest.approx(list(row.values()))
    assert found.hops[INTAKE] == HOP


def test_the_page_has_the_tables_that_the_command_prints() -> None:
    results = Results.load(newest())
    text = simulation.page(results)

    shown = simulation.PAGE.read_text()
    assert put_into(shown, text) == shown
    assert f"<!-- figures -->\n{text}\n<!-- end of figures -->" in shown
    assert simulation.plot(results) == simulation.PLOT.read_text()
