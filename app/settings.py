"""Every knob once: its name carries the unit, its description becomes `.env.example`."""

import ipaddress
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AliasChoices,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app.bus.timeouts import Timeouts
from app.errors import StartupError

VERSION = "0.1.0"

# What is longer is a slip, and ends where no calendar and no column goes.
_TEN_YEARS_S = 315_360_000


class Role(StrEnum):
    """What one process of the image does."""

    ALL = "all"
    API = "api"
    WORKER = "worker"


class Settings(BaseSettings):
    """Where a value comes from: a flag, else the environment, else `.env`, else the default."""

    model_config = SettingsConfigDict(
        env_prefix="APP_",
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        validate_by_name=True,
        allow_inf_nan=False,
    )

    role: Role = Field(Role.ALL, description="What this process does: all, api or worker.")
    host: str = Field(
        "127.0.0.1", description="Address to listen on; any but loopback needs a key."
    )
    port: int | None = Field(
        None,
        ge=0,
        le=65535,
        validation_alias=AliasChoices("APP_PORT", "PORT"),
        description="Port to listen on; 8000 when unset, a free one for APP_ROLE=worker.",
    )
    console: Literal["on", "read-only", "off"] = Field(
        "on", description="The pages at /console: on, read-only or off."
    )
    data: Path = Field(
        Path("var"), description="Directory of the embedded mode's database and stream."
    )
    database_url: SecretStr | None = Field(
        None,
        validation_alias="DATABASE_URL",
        description="postgresql://user:password@host/name; unset means embedded.",
    )
    redis_url: SecretStr | None = Field(
        None,
        validation_alias="REDIS_URL",
        description="redis://, rediss:// or unix://, Redis 7.0+, Valkey 8+; unset means embedded.",
    )
    api_key: SecretStr | None = Field(
        None,
        min_length=16,
        description="A key with every right, 16 characters or more; sent as Bearer.",
    )
    api_key_file: Path | None = Field(None, description="File to read the API key from.")
    subscribers: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Names, comma-separated, a worker limits itself to; unset means all."
    )
    stream_prefix: str = Field(
        "events",
        pattern=r"^[A-Za-z0-9_.:-]{1,60}$",
        description="First part of every key in Redis.",
    )
    log_format: Literal["console", "json"] = Field(
        "console", description="console for people, json for machines."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info",
        description="Least level that is logged: debug, info, warning or error. "
        "debug tells of every event that was handled; info of those that failed.",
    )
    database_pool: int = Field(
        10, ge=2, le=200, description="Connections to PostgreSQL per process."
    )
    batch: int = Field(500, ge=1, le=1000, description="Most events a subscriber takes at once.")
    claim_idle_s: float = Field(
        30.0,
        ge=0.05,
        description="Seconds until another worker takes over an unacknowledged event.",
    )
    lock_timeout_s: float = Field(
        2.0, description="Seconds a statement waits for a lock of another transaction."
    )
    statement_timeout_s: float = Field(15.0, description="Seconds a statement may take.")
    handler_timeout_s: float = Field(
        20.0, description="Seconds a handler may take for one event or one batch."
    )
    idle_in_transaction_s: float = Field(
        25.0, description="Seconds after which the database ends a frozen process's transaction."
    )
    reconcile_after_s: float = Field(
        15.0,
        ge=0,
        description="Seconds after which the stream is asked what became of an unhandled event.",
    )
    stream_cap: int = Field(
        100_000,
        ge=1000,
        description="Entries a stream may hold; at it, new events wait in the database.",
    )
    retention_days: float = Field(
        14.0, gt=0, description="Days for which events are kept once everybody has handled them."
    )
    body_limit_bytes: int = Field(1_048_576, ge=1024, description="Largest request body, in bytes.")
    idempotency_hours: int = Field(
        24, ge=1, description="Hours for which an Idempotency-Key is remembered."
    )
    idempotency_required: bool = Field(
        default=False, description="Refuse state-changing POSTs without an Idempotency-Key."
    )
    hold_s: int = Field(
        900,
        ge=1,
        le=_TEN_YEARS_S,
        description="Seconds for which a manual order holds its stock, unless it says.",
    )
    hold_limit_s: int = Field(
        604_800,
        ge=1,
        le=_TEN_YEARS_S,
        description="Seconds for which an order may hold stock, extensions included.",
    )
    decision_deadline_s: int | None = Field(
        None,
        ge=1,
        le=_TEN_YEARS_S,
        description="Seconds after which an order nobody decided about is cancelled; unset: never.",
    )
    rate_limit: int | None = Field(
        None, ge=1, description="Requests a key may make per minute; unset: any number."
    )
    request_timeout_s: float = Field(
        30.0, gt=0, description="Seconds a request may take before it is answered with 503."
    )
    outbox_lag_limit_s: float = Field(
        60.0,
        gt=0,
        description="Age of the oldest unpublished event at which orders are refused with 503.",
    )
    if_match_required: bool = Field(
        default=False, description="Refuse changes of versioned things without If-Match."
    )
    drain_s: float = Field(4.0, gt=0, description="Seconds a stop may take to finish work in hand.")
    drain_notice_s: float = Field(
        0.0,
        ge=0,
        description="Seconds an API still serves after SIGTERM, readiness at 503, for balancers.",
    )

    @field_validator("subscribers", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:  # noqa: ANN401 - a validator takes what it is given
        return (
            tuple(filter(None, map(str.strip, value.split(","))))
            if isinstance(value, str)
            else value
        )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        """Refuse half a configuration: what starts must be what was meant."""
        if (self.database_url is None) != (self.redis_url is None):
            there, missing = (
                ("DATABASE_URL", "REDIS_URL")
                if self.database_url
                else ("REDIS_URL", "DATABASE_URL")
            )
            msg = (
                f"{there} is set and {missing} is not: set both for servers, neither for embedded."
            )
            raise ValueError(msg)
        if self.role is not Role.ALL and self.embedded:
            msg = (
                f"APP_ROLE={self.role} shares its engines with other processes: set DATABASE_URL "
                "and REDIS_URL, or use APP_ROLE=all."
            )
            raise ValueError(msg)
        if self.subscribers and self.role is not Role.WORKER:
            msg = (
                f"APP_SUBSCRIBERS limits a worker, and APP_ROLE is {self.role}: unset one of them."
            )
            raise ValueError(msg)
        try:
            _ = self.timeouts
        except ValueError as error:
            said = re.sub(r"(lock|statement|handler)(?=_s)", r"\1_timeout", str(error))
            said = re.sub(r"\w+_s\b", lambda found: variable_of(found[0]), said)
            msg = f"The timeouts contradict each other: {said}."
            raise ValueError(msg) from error
        return self

    @property
    def timeouts(self) -> Timeouts:
        """How long locks, statements, handlers and idle transactions may take."""
        return Timeouts(
            lock_s=self.lock_timeout_s,
            statement_s=self.statement_timeout_s,
            handler_s=self.handler_timeout_s,
            idle_in_transaction_s=self.idle_in_transaction_s,
        )

    @property
    def embedded(self) -> bool:
        """True when the process brings its own database and stream engine."""
        return self.database_url is None

    @property
    def has_loops(self) -> bool:
        """True when this process relays, consumes and sweeps."""
        return self.role is not Role.API

    @property
    def has_api(self) -> bool:
        """True when this process serves the REST API and not just health."""
        return self.role is not Role.WORKER

    @property
    def loopback(self) -> bool:
        """True when only this machine can reach the listening address."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def key(self) -> str | None:
        """The API key from wherever it was given; raises StartupError when its file is unusable."""
        if self.api_key is not None:
            return self.api_key.get_secret_value()
        if self.api_key_file is None:
            return None
        try:
            key = self.api_key_file.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            msg = f"APP_API_KEY_FILE names {self.api_key_file}, which cannot be read: {error}."
            raise StartupError(msg) from error
        if len(key) < 16:  # noqa: PLR2004 - as api_key above
            msg = f"The key in {self.api_key_file} (APP_API_KEY_FILE) has fewer than 16 characters."
            raise StartupError(msg)
        return key


def load_settings(**flags: Any) -> Settings:  # noqa: ANN401 - each field has its own type
    """Read the settings; flags that are not None win. Raises StartupError with one sentence."""
    try:
        return Settings(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        if not first["loc"]:
            raise StartupError(first["msg"].removeprefix("Value error, ")) from None
        name = _variable(str(first["loc"][0]))
        secret = "URL" in name or "KEY" in name
        found = "" if secret else f", and found {first['input']!r}"
        wanted = first["msg"].replace("items after validation", "characters")
        msg = f"{name} is not usable: {wanted[0].lower()}{wanted[1:]}{found}."
        raise StartupError(msg) from None
    except UnicodeDecodeError as error:
        msg = f"The file .env is not UTF-8 text: {error.reason} at byte {error.start}."
        raise StartupError(msg) from None


def variable_of(name: str) -> str:
    """Return the environment variable that sets a field; the first where it has several."""
    alias = Settings.model_fields[name].validation_alias
    first = alias.choices[0] if isinstance(alias, AliasChoices) else alias
    return _variable(str(first or name))


def _variable(loc: str) -> str:
    """Return the environment name of a field or alias."""
    return loc if loc.isupper() else f"APP_{loc.upper()}"
