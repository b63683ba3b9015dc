"""README's first order, typed as it stands there."""

import json
import re
import shutil
import subprocess

import pytest

from tests.system.conftest import Deployment
from tests.system.orderly import ROOT, Shop

README = (ROOT / "README.md").read_text()


def commands() -> list[str]:
    """Return the curl commands of README, each with its continuation lines."""
    return re.findall(r"^curl (?:.*\\\n)*.*$", README, flags=re.MULTILINE)


async def test_the_first_order_ends_as_readme_says(either: Deployment) -> None:
    if shutil.which("curl") is None:
        pytest.skip("there is no curl")
    url = either.start_all().url

    def typed(command: str) -> dict[str, object]:
        done = subprocess.run(
            ["bash", "-c", command.replace("http://127.0.0.1:8000", url)],
            capture_output=True,
            text=True,
            check=True,
        )
        answer: dict[str, object] = json.loads(done.stdout)
        return answer

    put, receive, order, listed, level = commands()
    typed(put)
    typed(receive)
    placed = typed(order)
    assert placed["status"] == "pending"
    async with Shop(url) as shop:
        await shop.settled(str(placed["id"]))
    assert str(placed["id"]) in str(typed(listed))
    assert '"on_hand":40,"reserved":2,"available":38' in json.dumps(
        typed(level), separators=(",", ":")
    )
    # The same key again: the same order.
    assert typed(order)["id"] == placed["id"]
    await either.verify()


def test_every_test_that_readme_names_is_there() -> None:
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))

    for name in re.findall(r"`(test_\w+)`", README):
        assert f"def {name}(" in tests, name
