"""docs/settings.md, as the class of the settings tells it.

`python -m tests.cli.settings_page` writes it.
"""

from collections.abc import Mapping
from typing import Any

from app.cli.settings import default
from app.errors import StartupError
from app.settings import Settings, load_settings, variable_of
from tests.starter import ROOT

PAGE = ROOT / "docs" / "settings.md"

_INTRODUCTION = """\
# Settings

Written by `python -m tests.cli.settings_page` from `app/settings.py`; a test sees to it that it is
current. `python3 dev.py settings` prints the same as a `.env` file to start from, and
`python3 dev.py doctor` looks whether what is set here can work.

A value comes from a flag of `serve` (`--host`, `--port`, `--data`), else from the environment, else
from the file `.env` in the working directory, else it is the default. An empty variable is an unset
one. What cannot be used ends the start with one sentence that names the variable, what was wanted
and, unless it is a secret, what was found.

*Read by* says which `APP_ROLE` heeds a setting; the others take any value of it. Variables of
OpenTelemetry's are in [traces.md](traces.md), those of the tests in
[CONTRIBUTING.md](../CONTRIBUTING.md).
"""

_EVERY = "every role"
_API = "`all`, `api`"
_LOOPS = "`all`, `worker`"

TOPICS: Mapping[str, Mapping[str, str]] = {
    "What runs where": {
        "role": _EVERY,
        "host": _EVERY,
        "port": _EVERY,
        "console": _API,
        "subscribers": "`worker`",
        "log_format": _EVERY,
        "log_level": _EVERY,
    },
    "Database and stream": {
        "data": "`all` without servers",
        "database_url": _EVERY,
        "database_pool": "every role, on PostgreSQL",
        "redis_url": _EVERY,
        "stream_prefix": _EVERY,
        "stream_cap": _LOOPS,
        "retention_days": _LOOPS,
    },
    "Who may, and how much": {
        "api_key": _EVERY,
        "api_key_file": _EVERY,
        "rate_limit": _EVERY,
        "body_limit_bytes": _EVERY,
        "request_timeout_s": _EVERY,
        "outbox_lag_limit_s": _API,
        "idempotency_hours": _EVERY,
        "idempotency_required": _API,
        "if_match_required": _API,
    },
    "Orders": {
        "hold_s": _API,
        "hold_limit_s": _API,
        "decision_deadline_s": _LOOPS,
    },
    "Delivery": {
        "batch": _LOOPS,
        "claim_idle_s": _LOOPS,
        "reconcile_after_s": _LOOPS,
    },
    "How long things may take": {
        "lock_timeout_s": "every role, on PostgreSQL",
        "statement_timeout_s": "every role, on PostgreSQL",
        "handler_timeout_s": _EVERY,
        "idle_in_transaction_s": "every role, on PostgreSQL",
        "drain_s": _EVERY,
        "drain_notice_s": _API,
    },
}

_UNITS = {"s": "seconds", "days": "days", "hours": "hours", "bytes": "bytes"}
_UNITS_OF = {
    "batch": "events",
    "database_pool": "connections",
    "rate_limit": "requests a minute",
    "stream_cap": "entries",
}

# Each is tried when the page is made: what the program says to it is what stands there.
_POSTGRESQL, _REDIS = "postgresql://localhost/orderly", "redis://localhost"
REFUSED: tuple[Mapping[str, Any], ...] = (
    {"database_url": _POSTGRESQL},
    {"redis_url": _REDIS},
    {"role": "worker"},
    {
        "role": "api",
        "database_url": _POSTGRESQL,
        "redis_url": _REDIS,
        "subscribers": "inventory",
    },
    {"statement_timeout_s": 30.0},
    {"lock_timeout_s": 0.0},
)

_RULES = """\
## What contradicts itself

Both URLs or neither; no `api` or `worker` without them; `APP_SUBSCRIBERS` for a worker only; and
0 < `APP_LOCK_TIMEOUT_S` < `APP_STATEMENT_TIMEOUT_S` < `APP_HANDLER_TIMEOUT_S` <
`APP_IDLE_IN_TRANSACTION_S`. What breaks such a rule is refused:

| set | said |
|---|---|
"""

_LATER = """
Refused a moment later, by what it is about: a host other than loopback without a key, a name in
`APP_SUBSCRIBERS` that no module has, a port that is taken, an engine that does not answer or has
another version than is needed, and a Redis whose prefix belongs to another database.

Of two that say the same, one wins: `APP_API_KEY` over its file, `APP_PORT` over `PORT`, and the
smaller of `APP_HOLD_S` and `APP_HOLD_LIMIT_S` for a manual order that does not say.
"""


def page() -> str:
    """Return the whole page."""
    limits = Settings.model_json_schema(by_alias=False)["properties"]
    parts = [_INTRODUCTION]
    for topic, names in TOPICS.items():
        parts += [f"## {topic}\n", "| variable | default | limits | read by | meaning |"]
        parts.append("|---|---|---|---|---|")
        parts += [_row(name, limits[name], readers) for name, readers in names.items()]
        parts.append("")
    parts.append(_RULES + "\n".join(map(_refusal, REFUSED)))
    return "\n".join(parts) + "\n" + _LATER


def _row(name: str, schema: Mapping[str, Any], readers: str) -> str:
    meaning = Settings.model_fields[name].description
    names = "`, `".join(dict.fromkeys((variable_of(name), *_other_names(name))))
    return f"| `{names}` | {_default(name)} | {_limits(schema)} | {readers} | {meaning} |"


def _other_names(name: str) -> tuple[str, ...]:
    alias = Settings.model_fields[name].validation_alias
    return tuple(map(str, getattr(alias, "choices", ())))


def _default(name: str) -> str:
    value = default(name)
    if value is None:
        return "unset"
    shown = str(value).lower() if isinstance(value, bool) else str(value).removesuffix(".0")
    unit = _UNITS_OF.get(name) or _UNITS.get(name.rpartition("_")[2])
    return f"`{shown}` {unit}" if unit else f"`{shown}`"


def _limits(schema: Mapping[str, Any]) -> str:
    """Return what a value must be, from its JSON Schema; empty when any will do."""
    # An optional setting has the schema of its value beside that of none.
    one = next((each for each in schema.get("anyOf", ()) if each["type"] != "null"), schema)
    if "enum" in one:
        return ", ".join(f"`{value}`" for value in one["enum"])
    if "$ref" in one or "allOf" in one:
        return "`all`, `api`, `worker`"
    found = []
    for word, sign in (("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤")):
        if word in one:
            found.append(f"{sign} {one[word]:g}" if one[word] < 10_000 else f"{sign} {one[word]:,}")
    if "minLength" in one:
        found.append(f"≥ {one['minLength']} characters")
    if "pattern" in one:
        found.append(f"`{one['pattern']}`")
    if one.get("type") == "boolean":
        found.append("`true`, `false`")
    return ", ".join(found)


def _refusal(settings: Mapping[str, Any]) -> str:
    shown = ", ".join(
        f"`{variable_of(name)}={value:g}`"
        if isinstance(value, float)
        else f"`{variable_of(name)}={value}`"
        for name, value in settings.items()
    )
    return f"| {shown} | {said_to(settings)} |"


def said_to(settings: Mapping[str, Any]) -> str:
    """Return the sentence that refuses these settings; raises ValueError when none does."""
    try:
        load_settings(**settings)
    except StartupError as error:
        return str(error)
    msg = f"{settings} is not refused"
    raise ValueError(msg)


if __name__ == "__main__":
    PAGE.write_text(page())
