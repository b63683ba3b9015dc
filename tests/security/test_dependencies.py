"""What comes with the program: locked by hashes, under licences that ask for nothing but a notice.

Whether a locked version has a known hole is a feed's to tell, which no test can wait for:
SECURITY.md has the command.
"""

import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.lock", "requirements-otel.lock")
PERMISSIVE = re.compile(
    r"\b(MIT|BSD|Apache|ISC|PSF|Python Software Foundation|Public Domain|Unlicense|Zlib|0BSD)\b"
)
# Not permissive as a whole, and why it may come along all the same.
ALLOWED = {"certifi": "MPL-2.0: a list of certificates, used as it is; only with spans"}


def locked(lock: str) -> Iterator[tuple[str, str, list[str]]]:
    """Yield each package of a lock: its name, its condition and its hashes."""
    text = (ROOT / lock).read_text()
    for name, condition, rest in re.findall(
        r"^([\w.-]+)==[^\s;]+(?: ; ([^\\\n]+))?(.*\n(?: +\S.*\n)*)", text, re.MULTILINE
    ):
        yield name, condition, re.findall(r"--hash=(\S+)", rest)


def licences(name: str) -> str:
    """Return what a package says of its licence, wherever it says so."""
    told = metadata(name)
    said = [*(told.get_all("License-Expression") or ()), *(told.get_all("License") or ())]
    said += [one for one in told.get_all("Classifier") or () if one.startswith("License ::")]
    return " | ".join(one[:100] for one in said)


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_that_runs_is_locked_by_its_hashes(lock: str) -> None:
    found = list(locked(lock))

    assert len(found) > 40
    for name, _, hashes in found:
        assert hashes, name
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", one) for one in hashes), name
    lines = (ROOT / lock).read_text().splitlines()
    assert not [
        one for one in lines if re.match(r"\s*(-e|--index|--extra-index|--find|git\+|https?:)", one)
    ]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_that_runs_has_a_permissive_licence(lock: str) -> None:
    elsewhere = []
    for name, condition, _ in locked(lock):
        try:
            told = licences(name)
        except PackageNotFoundError:
            # For another system or another Python.
            elsewhere.append(name)
            assert condition, name
            continue
        if name not in ALLOWED:
            assert PERMISSIVE.search(told), f"{name}: {told}"
        assert not re.search(r"\b(A?GPL|LGPL|SSPL|BUSL|Commons Clause)", told), f"{name}: {told}"

    assert len(elsewhere) < 5


def test_who_puts_a_package_beside_the_lock_is_noticed() -> None:
    assert [one[0] for one in locked(LOCKS[0])][:2] == ["aiosqlite", "alembic"]
    assert {one[0] for one in locked(LOCKS[0])} <= {one[0] for one in locked(LOCKS[1])}
