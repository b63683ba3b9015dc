"""`new-module` in a copy of this checkout, and the tutorial that explains what it adds."""

import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from tests.starter import ROOT

TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text()
COPIED = ("app", "tests", "examples", "alembic.ini", "pyproject.toml", ".importlinter", "dev.py")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Copy this checkout to where a module may be added."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy)
    yield copy
    shutil.rmtree(copy)


def new_module(checkout: Path, name: str) -> "subprocess.CompletedProcess[str]":
    return run(checkout, "examples/add_a_module/copy_module.py", name)


def run(checkout: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run this Python in the copy; PATH alone, so that nothing of this checkout is found."""
    return subprocess.run(
        [sys.executable, *words],
        cwd=checkout,
        env={"PATH": "/usr/bin:/bin", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_module_of_ones_own_passes_its_tests_and_the_house_rules(checkout: Path) -> None:
    main = checkout / "app" / "main.py"
    before = main.read_text().splitlines()

    made = new_module(checkout, "tombola")

    assert made.returncode == 0, made.stderr
    added = [line for line in main.read_text().splitlines() if line not in before]
    assert [line.split()[0] for line in added] == ["from", "(tombola_api.router,"]
    for checker in (
        ("-m", "ruff", "check", "app", "tests/tombola"),
        ("-m", "ruff", "format", "--check", "app", "tests/tombola"),
        ("-c", "from importlinter.cli import lint_imports_command as main; main()"),
        ("-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "tests/tombola"),
    ):
        checked = run(checkout, *checker)
        assert checked.returncode == 0, checked.stdout + checked.stderr
    left = [path for path in checkout.glob("app/modules/tombola/*.py") if "hip" in path.read_text()]
    assert left == []


def test_the_tutorial_goes_as_it_says(checkout: Path) -> None:
    blocks = re.findall(r"^```(\w+)\n(.*?)^```$", TUTORIAL, flags=re.DOTALL | re.MULTILINE)
    python = [text for kind, text in blocks if kind == "python"]
    typed = [text.strip() for kind, text in blocks if kind == "sh"]
    tests = [text for text in python if "def test_" in text]

    assert typed[0] == "python3 dev.py new-module shipping"
    assert new_module(checkout, "shipping").returncode == 0
    for text in python:
        if text not in tests:
            ran = run(checkout, "-c", text)
            assert ran.returncode == 0, ran.stderr
    (checkout / "tests" / "shipping" / "test_tutorial.py").write_text("\n".join(tests))
    assert typed[1] == "python3 dev.py test tests/shipping -n 0"
    ran = run(checkout, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "tests/shipping")
    assert ran.returncode == 0, ran.stdout

    assert typed[2:] == ["python3 dev.py run", "curl $V1/shipping", "python3 dev.py fill shipping"]
    with running(checkout) as url:
        (shipment,) = shipments_of_an_order(url)
        # And a module that was added can hear what it missed.
        filled = run(checkout, "-m", "app", "fill", "shipping", "--url", url)
    assert shipment["status"] == "prepared"
    assert filled.returncode == 0, filled.stderr


@contextmanager
def running(checkout: Path) -> Iterator[str]:
    """Run the copy's program, and give its address."""
    with subprocess.Popen(
        [sys.executable, "-m", "app", "serve", "--port", "0"],
        cwd=checkout,
        env={"PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://\S+", process.stdout.readline())
            assert found is not None
            yield found[0]
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
        finally:
            process.kill()


def shipments_of_an_order(url: str) -> list[dict[str, str]]:
    """Place an order, and return what shipping made of it once it has heard."""
    mug = {"title": "Mug", "unit_price": {"amount": "4.25", "currency": "GBP"}}
    lines = [{"sku": "MUG", "quantity": 2}]
    with httpx2.Client(base_url=f"{url}/v1", timeout=20) as client:
        client.put("/products/MUG", json=mug).raise_for_status()
        came = {"reference": "PO-7", "lines": lines}
        client.post("/inventory/receipts", json=came).raise_for_status()
        order = {"customer_id": "c-1", "lines": lines}
        client.post("/orders", json=order, headers={"Prefer": "wait=10"}).raise_for_status()
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if found := client.get("/shipping").json()["items"]:
                return list(found)
            time.sleep(0.05)
    return []


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("orders", "app/modules/orders is there already"),
        ("Shipping", "2 to 16 lower-case letters"),
        ("class", "2 to 16 lower-case letters"),
        ("../x", "2 to 16 lower-case letters"),
    ],
)
def test_a_name_that_cannot_be_is_refused(checkout: Path, name: str, told: str) -> None:
    refused = new_module(checkout, name)

    assert refused.returncode == 1
    assert told in refused.stderr
    assert "Traceback" not in refused.stderr
