"""No migration makes others wait or shuts out a running build; each rule refuses what it is for.

The good twins are the recipes of docs/migrations.md.
"""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from pydantic import SecretStr

from app import schema
from app.settings import Settings
from tests.conftest import PostgresFixture
from tests.migrations.planted import Planted, head
from tests.migrations.rules import BASELINE, CONTRACTS, OURS, Step, found, refused, run

ACCEPTED = 'accepted = {{"{rule}": "no build reads it"}}'

BAD = {
    "require-concurrent-index-creation": 'op.create_index("ix_bad", "orders", ["currency"])',
    "require-concurrent-index-deletion": 'op.drop_index("ix_orders_held", "orders")',
    "adding-required-field": 'op.execute("ALTER TABLE pause ADD COLUMN bad1 BIGINT NOT NULL")',
    "adding-field-with-default": """
default = sa.text("gen_random_uuid()")
op.add_column("orders", sa.Column("bad2", sa.Uuid(), nullable=False, server_default=default))
""",
    "changing-column-type": 'op.alter_column("orders", "hold_s", type_=sa.BigInteger())',
    "ban-drop-column": 'op.drop_column("receipts", "actor")',
    "ban-drop-table": 'op.drop_table("issues")',
    "ban-drop-not-null": 'op.alter_column("products", "title", nullable=True)',
    "renaming-column": 'op.alter_column("products", "active", new_column_name="on_sale")',
    "renaming-table": 'op.rename_table("adjustments", "corrections")',
    "constraint-missing-not-valid": 'op.create_check_constraint("ck_bad", "orders", "version > 0")',
    "adding-foreign-key-constraint": """
op.create_foreign_key("fk_bad", "order_lines", "products", ["sku"], ["sku"])
""",
    "disallowed-unique-constraint": """
op.create_unique_constraint("uq_bad", "orders", ["created_event_id"])
""",
    "adding-not-nullable-field": 'op.alter_column("orders", "reference", nullable=False)',
    "whole-table-write": "op.execute(\"UPDATE orders SET cancel_reason = 'none'\")",
    "check-with-column": """
op.add_column("orders", sa.Column("bad3", sa.BigInteger(), sa.CheckConstraint("bad3 > 0")))
""",
    "heavy-lock": 'op.execute("LOCK TABLE orders IN SHARE MODE")',
    "own-lock-timeout": "op.execute(\"SET LOCAL lock_timeout = '5s'\")",
}

# In this order: some of them go on where the one before ended.
EXPANDING = {
    "a column": 'op.add_column("orders", sa.Column("gift", sa.String(200)))',
    "a column with a default": """
op.add_column("orders", sa.Column("note", sa.Text(), nullable=False, server_default=""))
""",
    "an index": """
online.create_index("ix_orders_gift", "orders", ["gift"], where="gift IS NOT NULL")
""",
    "an index no more": 'online.drop_index("ix_orders_gift", "orders")',
    "a table with all it needs": """
op.create_table(
    "gifts",
    sa.Column("id", sa.String(36), nullable=False),
    sa.Column("order_id", sa.String(36), nullable=False),
    sa.PrimaryKeyConstraint("id", name="pk_gifts"),
    sa.CheckConstraint("id <> ''", name="ck_gifts_id"),
)
op.create_index("ix_gifts_order_id", "gifts", ["order_id"])
""",
    "rows by pages": """
page = sa.text(
    "UPDATE orders SET gift = '' WHERE id IN"
    " (SELECT id FROM orders WHERE gift IS NULL ORDER BY id LIMIT 1000)"
)
with op.get_context().autocommit_block():
    while op.get_bind().execute(page).rowcount:
        pass
""",
}

# Each names the first build that keeps the rule: this one, here.
BINDING = {
    "a check": """
online.needs_build_of("0009")
op.create_check_constraint(
    "ck_orders_gift", "orders", "gift IS NOT NULL", postgresql_not_valid=True
)
""",
    "a check proven": 'op.execute("ALTER TABLE orders VALIDATE CONSTRAINT ck_orders_gift")',
    "not null": """
online.needs_build_of("0009")
op.alter_column("orders", "gift", nullable=False)
""",
    "a reference": """
online.needs_build_of("0009")
op.create_foreign_key(
    "fk_gifts_order_id_orders", "gifts", "orders", ["order_id"], ["id"], postgresql_not_valid=True
)
""",
    "a reference proven": """
op.execute("ALTER TABLE gifts VALIDATE CONSTRAINT fk_gifts_order_id_orders")
""",
    "a unique index": """
online.needs_build_of("0009")
online.create_index("uq_orders_note", "orders", ["note"], unique=True)
""",
    "a unique constraint": """
online.needs_build_of("0009")
op.execute("ALTER TABLE orders ADD CONSTRAINT uq_orders_note UNIQUE USING INDEX uq_orders_note")
""",
}

GOOD = {**EXPANDING, **BINDING}

CONTRACTING = 'online.needs_build_of("9001")\nop.drop_column("orders", "note")'


@pytest.fixture(scope="module")
def steps(
    postgres: PostgresFixture, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, list[Step]]]:
    """Run ours and the planted ones on one database: steps by what they are planted for."""
    folder = tmp_path_factory.mktemp("planted")
    planted = Planted(folder, {})
    names: dict[str, str] = {}
    for name, body in GOOD.items():
        names[planted.add(body, title=name)] = name
    names[planted.add(CONTRACTING, extra=ACCEPTED.format(rule="ban-drop-column"))] = "contract"
    for name, body in BAD.items():
        names[planted.add(body, title=name)] = name
    server = postgres._server("pg18")
    url = server.create_database()
    settings = Settings.model_validate(
        {"DATABASE_URL": SecretStr(url), "REDIS_URL": SecretStr("redis://unused")}
    )
    config = schema.alembic_config(settings)
    config.set_main_option("version_locations", planted.locations())
    made = run(config)
    yield {names.get(one.revision, one.revision): made[: at + 1] for at, one in enumerate(made)}
    server.drop_database(url)


def test_none_of_ours_is_refused(steps: dict[str, list[Step]]) -> None:
    ours = {name: done for name, done in steps.items() if BASELINE < name <= head()}

    assert [*ours] == [one.revision for one in schema._migrations() if one.revision > BASELINE]
    for *before, step in ours.values():
        assert refused(step, before) == [], step.revision


@pytest.mark.parametrize("rule", BAD)
def test_what_the_rule_is_for_is_refused(steps: dict[str, list[Step]], rule: str) -> None:
    *before, step = steps[rule]

    assert any(why.startswith(f"{rule}: ") for why in refused(step, before)), step.script()


@pytest.mark.parametrize("name", GOOD)
def test_what_nobody_waits_for_passes(steps: dict[str, list[Step]], name: str) -> None:
    *before, step = steps[name]

    assert refused(step, before) == [], step.script()


def test_every_rule_of_ours_and_every_contract_is_planted() -> None:
    assert {*OURS, *CONTRACTS} <= {*BAD}


def test_what_an_older_build_does_not_survive_names_the_oldest_that_does(
    steps: dict[str, list[Step]],
) -> None:
    *before, step = steps["contract"]
    silent = replace(step, statements=[one for one in step.statements if "oldest" not in one[0]])

    assert refused(step, before) == []
    (why,) = refused(silent, before)
    assert why.startswith("ban-drop-column without online.needs_build_of")


@pytest.mark.parametrize("name", ["a check", "not null", "a reference", "a unique index"])
def test_what_binds_all_who_write_names_the_first_build_that_keeps_it(
    steps: dict[str, list[Step]], name: str
) -> None:
    *before, step = steps[name]
    silent = replace(step, statements=[one for one in step.statements if "oldest" not in one[0]])

    (why,) = refused(silent, before)
    assert "without online.needs_build_of" in why


def test_nothing_is_accepted_in_vain_or_without_a_reason(steps: dict[str, list[Step]]) -> None:
    *before, step = steps["a column"]
    in_vain = replace(step, accepted={"heavy-lock": "none there"})
    *_, dropping = steps["contract"]
    silently = replace(dropping, accepted={"ban-drop-column": " "})

    assert len(refused(in_vain, before)) == 1
    assert len(refused(silently)) == 1


def test_not_null_is_proven_by_a_check_that_was_validated(steps: dict[str, list[Step]]) -> None:
    *before, step = steps["not null"]
    unproven = [one for one in before if "VALIDATE" not in one.script()]

    assert "adding-not-nullable-field" in found(step, unproven)


def test_a_session_without_a_lock_timeout_is_refused(steps: dict[str, list[Step]]) -> None:
    *before, step = steps["a column"]
    patient = replace(step, session=())

    assert "require-lock-timeout" in found(patient, before)
