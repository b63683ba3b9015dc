"""The bench's own instruments: a client, clocks and tables that may be believed."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path
from threading import Thread

import pytest

from bench import plots, report
from bench.case import Case, Effort
from bench.client import requests, run
from bench.figure import Figure
from bench.report import Results
from bench.samples import shares_of
from bench.servers import Servers

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc and uses epoll")

MACHINE = {
    "cpu": "a processor",
    "cores": 2,
    "memory_gib": 4.0,
    "system": "Linux",
    "python": "3.11",
    "fdatasync_us": 100,
    "load_before": 0.1,
    "packages": {"fastapi": "1.0"},
}


class _Shop(BaseHTTPRequestHandler):
    """Takes every order, and answers the body in a packet of its own."""

    protocol_version = "HTTP/1.1"
    keys: list[str | None]
    status = 201

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.keys.append(self.headers["Idempotency-Key"])
        self.send_response(self.status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.flush()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def shop() -> Iterator[tuple[str, type[_Shop]]]:
    class Shop(_Shop):
        keys: list[str | None] = []  # noqa: RUF012 - one list per test

    server = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/orders", Shop
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_client_times_every_answer_and_leaves_none_behind(
    shop: tuple[str, type[_Shop]],
) -> None:
    url, handler = shop

    load = run(url, requests(url, keyed=False), connections=3, seconds=0.2)

    assert load.statuses[201] == len(load.times_ms) == len(handler.keys)
    assert load.statuses[201] > 3
    assert 0 < load.quantile(0.5) <= load.quantile(0.99) <= 1000 * load.seconds
    assert set(handler.keys) == {None}


def test_the_client_tells_refusals_from_orders(shop: tuple[str, type[_Shop]]) -> None:
    url, handler = shop
    handler.status = 503

    load = run(url, requests(url, keyed=False), connections=2, seconds=0.05)

    assert set(load.statuses) == {503}


def test_every_keyed_request_has_a_key_of_its_own(shop: tuple[str, type[_Shop]]) -> None:
    url, handler = shop
    # More than there are bodies, which come round again.
    posts = list(islice(requests(url, keyed=True), 3000))

    run(url, iter(posts), connections=2, seconds=0.1)

    assert len(set(posts)) == 3000
    assert None not in handler.keys
    assert len(set(handler.keys)) == len(handler.keys)


def test_the_cpu_of_a_child_that_has_ended_still_counts() -> None:
    from bench.cpu import tree_s  # noqa: PLC0415 - asks for the clock's tick, on Linux only

    before = tree_s(os.getpid())
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    subprocess.run([sys.executable, "-c", burn], check=True)

    assert tree_s(os.getpid()) - before >= 0.25


def test_a_sample_belongs_to_the_innermost_package() -> None:
    raw = (
        "main (/x/app/cli/serve.py:1);run (/x/site-packages/uvicorn/server.py:2);"
        "select (/usr/lib/selectors.py:3) 3\n"
        "main (/x/site-packages/uvicorn/server.py:1);place (/x/app/modules/orders/place.py:9) 1\n"
        "serve (/x/app/cli/serve.py:1);run (/x/site-packages/anyio/_backends/_asyncio.py:2) 1\n"
    )

    assert shares_of(raw) == {"uvicorn": 60.0, "ours: modules": 20.0, "event loop": 20.0}


def _measured() -> Results:
    def never(_: Servers, __: Effort) -> Mapping[str, Figure]:
        raise AssertionError

    results = Results(MACHINE, quick=False)
    for name, seconds in (("ours, PostgreSQL", 0.15), ("SQLAlchemy ORM outbox", 1.5)):
        case = Case(group="intake", name=name, unit="order", run=never)
        for slower in (1, 1.1, 9):
            figure = Figure(units=1000, wall_s=1.0, app_s=seconds * slower, p50_ms=3.0, p99_ms=5.0)
            results.add(case, {"c32": figure})
    return results


def test_a_run_is_kept_and_read_back_with_its_medians_and_goals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "FOLDER", tmp_path)
    results = _measured()

    again = Results.load(results.save())

    assert report.latest() is not None
    assert again.medians() == results.medians()
    assert again.medians()["intake"]["ours, PostgreSQL", "c32"]["app µs"] == pytest.approx(165)
    shown = again.markdown()
    assert shown == results.markdown()
    assert re.search(r"intake against the ORM outbox, CPU \| ≥ 10 . \| 10.0 . \| yes", shown)
    assert "| intake, application CPU | ≤ 160 µs | 165 µs | no |" in shown
    assert "a processor" in shown


def test_plots_are_drawn_of_what_was_measured_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plots, "FOLDER", tmp_path)

    [drawn] = plots.write(_measured().medians())

    texts = re.findall(r"<text [^<>]*>([^<>]*)</text>", drawn.read_text())
    assert "SQLAlchemy ORM outbox" in texts
    assert "1,650" in texts
