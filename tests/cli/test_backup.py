"""`backup` copies the embedded database while orders come in; the copy is a shop of its own."""

import stat
from pathlib import Path

import anyio
import pytest

from tests.system.orderly import Orderly, Shop, run

SAID = "There is no Orderly data in var"


@pytest.fixture(autouse=True)
def no_blocking_calls() -> None:
    """Let tests block: the program runs in other processes here."""


async def test_a_copy_made_under_load_has_all_that_was_acknowledged_and_goes_on(
    tmp_path: Path,
) -> None:
    file, restored = tmp_path / "monday.db", tmp_path / "restored"
    (tmp_path / "shop").mkdir()
    with Orderly(tmp_path / "shop") as process:
        async with Shop(process.url) as shop, anyio.create_task_group() as group:
            await shop.stock({"MUG": 5000})

            async def buy() -> None:
                while True:
                    await shop.order({"MUG": 1})

            for _ in range(3):
                group.start_soon(buy)
            with anyio.fail_after(30):
                while len(shop.orders) < 30:
                    await anyio.sleep(0.01)
            acknowledged = [*shop.orders]
            words = ["backup", str(file)]
            done = await anyio.to_thread.run_sync(run, words, tmp_path / "shop")
            group.cancel_scope.cancel()
    assert done.returncode == 0, done.stderr
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    (restored / "var").mkdir(parents=True)
    file.rename(restored / "var" / "orderly.db")

    assert run(["verify"], restored).returncode == 0
    with Orderly(restored, {"APP_RECONCILE_AFTER_S": "0.2"}) as process:
        async with Shop(process.url) as shop:
            await shop.all_settled()
            for order_id in acknowledged:
                assert (await shop.get(order_id))["status"] == "confirmed"
            placed = await shop.order({"MUG": 1})
            assert (await shop.settled(placed["id"]))["status"] == "confirmed"
        assert run(["verify"], restored).returncode == 0


def test_what_is_no_backup_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    def refused(file: str, **environment: str) -> str:
        done = run(["backup", file], tmp_path, environment)
        assert (done.returncode, done.stdout) == (1, "")
        (sentence,) = done.stderr.strip().splitlines()
        return sentence

    assert SAID in refused("a.db")
    assert run(["migrate"], tmp_path).returncode == 0
    (tmp_path / "there.db").touch()
    assert "there.db is there already" in refused("there.db")
    assert "nowhere is no directory" in refused("nowhere/a.db")
    servers = {"DATABASE_URL": "postgresql://h/d", "REDIS_URL": "redis://h"}
    assert "pg_dump" in refused("a.db", **servers)
    database = tmp_path / "var" / "orderly.db"
    for log in database.parent.glob("orderly.db-*"):
        log.unlink()  # it may have whole pages
    database.write_bytes(database.read_bytes()[:4096] + b"\xff" * 200_000)
    assert "cannot be copied" in refused("a.db")
    assert {path.name for path in tmp_path.iterdir()} >= {"there.db", "var"}
    assert not [*tmp_path.glob("a.db*")]
