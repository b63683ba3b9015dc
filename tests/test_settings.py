"""Settings: every knob once, and a sentence for every mistake."""

from pathlib import Path

import pytest

from app.cli.settings import env_example
from app.errors import StartupError
from app.settings import Role, Settings, load_settings

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hide the machine's own settings."""
    monkeypatch.chdir(tmp_path)
    for name in ("DATABASE_URL", "REDIS_URL", "PORT"):
        monkeypatch.delenv(name, raising=False)


def test_the_example_file_is_what_the_program_prints() -> None:
    assert (ROOT / ".env.example").read_text() == env_example()


def test_the_example_file_names_every_setting() -> None:
    assert env_example().count("=") >= len(Settings.model_fields)


def test_the_example_file_shows_the_defaults_as_they_can_be_set(tmp_path: Path) -> None:
    lines = [line.removeprefix("#") for line in env_example().splitlines() if "=" in line]
    (tmp_path / ".env").write_text("\n".join(lines))

    assert load_settings() == Settings.model_construct()


def test_nothing_set_is_one_process_with_everything_embedded() -> None:
    settings = load_settings()

    assert settings.role is Role.ALL
    assert settings.embedded
    assert settings.has_api
    assert settings.has_loops
    assert settings.loopback
    assert settings.key is None


def test_a_flag_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_PORT", "1234")

    assert load_settings(port=4321).port == 4321
    assert load_settings(port=None).port == 1234


def test_port_is_known_by_its_common_name_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "1234")

    assert load_settings().port == 1234


def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "")
    monkeypatch.setenv("REDIS_URL", "")

    assert load_settings().embedded


def test_a_mistake_names_the_variable_and_what_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_ROLE", "boss")

    with pytest.raises(StartupError, match=r"APP_ROLE is not usable: .*'boss'"):
        load_settings()


@pytest.mark.parametrize("endless", ["inf", "nan"])
@pytest.mark.parametrize("name", ["APP_DRAIN_S", "APP_CLAIM_IDLE_S", "APP_RETENTION_DAYS"])
def test_what_never_ends_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, endless: str
) -> None:
    monkeypatch.setenv(name, endless)

    with pytest.raises(StartupError, match=f"{name} is not usable: .*'{endless}'"):
        load_settings()


def test_timeouts_in_the_wrong_order_are_called_by_their_variables(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("APP_STATEMENT_TIMEOUT_S", "30")

    with pytest.raises(
        StartupError, match="APP_STATEMENT_TIMEOUT_S must be less than APP_HANDLER_TIMEOUT_S"
    ):
        load_settings()


def test_a_mistake_in_a_secret_does_not_repeat_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_API_KEY", "hunter2")

    with pytest.raises(StartupError) as refusal:
        load_settings()

    assert "hunter2" not in str(refusal.value)


def test_subscribers_are_names_between_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://x/y")
    monkeypatch.setenv("REDIS_URL", "redis://x")
    monkeypatch.setenv("APP_ROLE", "worker")
    monkeypatch.setenv("APP_SUBSCRIBERS", " orders, inventory,")

    assert load_settings().subscribers == ("orders", "inventory")


def test_a_key_may_live_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("a-key-of-enough-characters\n")

    settings = load_settings(api_key_file=tmp_path / "key")

    assert settings.key == "a-key-of-enough-characters"


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        *[("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True)],
        *[("0.0.0.0", False), ("::", False), ("10.0.0.7", False), ("example.org", False)],  # noqa: S104
    ],
)
def test_only_this_machine_reaches_a_loopback_address(host: str, *, loopback: bool) -> None:
    assert load_settings(host=host).loopback is loopback
