"""What `doctor` makes of the settings: what is set, where, and what only looks like a setting."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from dotenv import dotenv_values
from pydantic import AliasChoices

from app.cli.finding import Finding, failed, ok, warning
from app.errors import StartupError
from app.settings import Settings, variable_of

_DOTENV = Path(".env")
_URLS = {"DATABASE_URL", "REDIS_URL"}
_SECRETS = {"APP_API_KEY"}


@dataclass(frozen=True, slots=True)
class Given:
    """A setting that is not left at its default: its value, secrets masked, and where it is set."""

    name: str
    value: str
    source: str

    def body(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)


def settings_given(flags: Mapping[str, object]) -> list[Given]:
    """Return every setting that a flag, the environment or `.env` sets; the first of them wins."""
    given: list[Given] = []
    sources = {"environment": dict(os.environ), str(_DOTENV): _dotenv()}
    for name in Settings.model_fields:
        if flags.get(name) is not None:
            given.append(Given(variable_of(name), str(flags[name]), "flag"))
            continue
        found = (
            Given(variable, masked(variable, values[variable]), source)
            for source, values in sources.items()
            for variable in _variables(name)
            if values.get(variable)
        )
        given += [one for one in [next(found, None)] if one is not None]
    return given


def unknown_settings() -> Iterator[Finding]:
    """Yield what is called like a setting and is none, as a slip of the pen is."""
    known = {variable for name in Settings.model_fields for variable in _variables(name)}
    for source, values in (("environment", os.environ), (str(_DOTENV), _dotenv())):
        for name in sorted(values):
            if name.startswith("APP_") and name not in known:
                near = get_close_matches(name, known, n=1)
                remedy = f"Did you mean {near[0]}?" if near else "`settings` prints all there are."
                yield warning("settings", f"{name} ({source}) is no setting of Orderly", remedy)


def masked(name: str, value: str) -> str:
    """Return a value as it may be shown: without passwords and keys."""
    if name in _SECRETS:
        return f"*** ({len(value)} characters)"
    if name not in _URLS:
        return value
    scheme, separator, rest = value.partition("://")
    # By the last @, as a password may hold what it should not: its slash would end the host.
    who, at, where = rest.rpartition("@")
    if ":" in who:
        who = f"{who.partition(':')[0]}:***"
    try:
        _ = urlsplit(f"{scheme}://{where}").port
    except ValueError:
        return "***"
    if not separator:
        return "***"
    place, question, query = where.partition("?")
    shown = "&".join(
        f"{name}=***" if "pass" in name.lower() else f"{name}={quote(text)}"
        for name, text in parse_qsl(query)
    )
    return f"{scheme}://{who}{at}{place}{question}{shown}"


def keys(settings: Settings, known_keys: int | None) -> Iterator[Finding]:
    """Yield whether a key guards what `serve` will listen on; known_keys is how many were made."""
    try:
        own = settings.key is not None
    except StartupError as error:
        yield failed("API keys", str(error), "Mend the file, or set APP_API_KEY.")
        return
    made = "" if known_keys is None else f", {known_keys} in the database"
    if own:
        yield ok("API keys", f"APP_API_KEY is set{made}")
    elif not settings.loopback:
        yield failed(
            "API keys",
            f"APP_HOST={settings.host} can be reached by other machines, and no APP_API_KEY is set",
            "Set APP_API_KEY to a secret of 16 characters or more, or listen on 127.0.0.1.",
        )
    elif known_keys:
        yield ok("API keys", f"APP_API_KEY is not set{made}: the server asks for one of those")
    else:
        yield ok("API keys", "none: open to this machine, and to no other")


def _variables(name: str) -> list[str]:
    """Return each environment variable that sets a field."""
    alias = Settings.model_fields[name].validation_alias
    if isinstance(alias, AliasChoices):
        return [str(choice) for choice in alias.choices]
    return [variable_of(name)]


def _dotenv() -> dict[str, str]:
    try:
        return {name: value or "" for name, value in dotenv_values(_DOTENV).items()}
    except (OSError, UnicodeDecodeError):
        # `load_settings` says so.
        return {}
