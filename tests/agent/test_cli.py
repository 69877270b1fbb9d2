"""The CLI as a program: where it is looked for, and what it says of itself; with the real one where it matters."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.agent.conftest import living
from tests.claude_cli import API_KEY, clean_environment, cli_path, wait_until
from tests.messages_api import MessagesAPI
from watcher.agent import cli
from watcher.settings import AgentSettings

DEFAULT = AgentSettings()
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows looks for another name in other places")


def program(path: Path, mode: int = 0o755) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(mode)
    return path


@pytest.fixture
def without_bundled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine whose SDK ships no CLI, and nothing on PATH."""
    monkeypatch.setattr(cli.importlib.util, "find_spec", lambda _name: None)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def test_the_sdks_own_comes_before_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program(tmp_path / "claude")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert cli.find_cli(DEFAULT) == cli_path()


def test_the_one_named_in_the_settings_comes_before_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = program(tmp_path / "a b" / "mine")
    assert cli.find_cli(AgentSettings(cli_path=str(named))) == named
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cli.find_cli(AgentSettings(cli_path="~/a b/mine")) == named
    monkeypatch.setenv("PATH", str(named.parent))
    assert cli.find_cli(AgentSettings(cli_path="mine")) == named
    monkeypatch.chdir(tmp_path)
    assert cli.find_cli(AgentSettings(cli_path="a b/mine")) == named  # the agent runs in another folder


@pytest.mark.parametrize("kind", ["nothing", "folder", "not executable"])
def test_one_that_is_named_and_cannot_be_run_is_not_replaced_by_another(tmp_path: Path, kind: str) -> None:
    """Whoever names one wants that one: the summaries of another would go unnoticed."""
    named = tmp_path / "claude"
    if kind == "folder":
        named.mkdir()
    elif kind == "not executable":
        program(named, mode=0o644)
    settings = AgentSettings(cli_path=str(named))
    assert cli.find_cli(settings) is None
    assert str(named) in cli.looked_at(settings)


@posix
@pytest.mark.usefixtures("without_bundled")
def test_without_the_sdks_own_it_is_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    local = program(tmp_path / "home" / ".claude" / "local" / "claude")
    assert cli.find_cli(DEFAULT) == local
    npm = program(tmp_path / "home" / ".npm-global" / "bin" / "claude")
    assert cli.find_cli(DEFAULT) == npm
    on_path = program(tmp_path / "bin" / "claude")
    assert cli.find_cli(DEFAULT) == on_path
    monkeypatch.chdir(tmp_path / "bin")
    monkeypatch.setenv("PATH", ".")  # would be another one in every folder
    assert cli.find_cli(DEFAULT) == npm


@posix
@pytest.mark.usefixtures("without_bundled")
@pytest.mark.skipif(Path("/usr/local/bin/claude").exists(), reason="this machine has a Claude Code of its own")
def test_nowhere_is_none_and_says_where_it_looked() -> None:
    assert cli.find_cli(DEFAULT) is None
    assert "PATH" in cli.looked_at(DEFAULT)


@pytest.mark.cli
def test_the_real_one_says_its_version() -> None:
    version = cli.version_of(cli_path())
    assert version is not None
    assert version >= cli.OLDEST


@pytest.mark.parametrize(
    "script", ["sys.exit(1)", "print('garbage')", "print('2.1')", "os.write(1, b'\\xff\\xfe'); sys.exit(0)"]
)
def test_a_version_that_is_none(scripted_cli: Callable[[str], str], script: str) -> None:
    assert cli.version_of(Path(scripted_cli(script))) is None


def test_a_cli_that_is_not_there_has_no_version_and_no_login(tmp_path: Path) -> None:
    assert cli.version_of(tmp_path / "claude") is None
    login = cli.login_of(tmp_path / "claude", tmp_path)
    assert login.logged_in is None
    assert login.text == "it cannot be told: No such file or directory"


def test_a_cli_that_hangs_is_waited_for_no_longer_than_it_may(
    scripted_cli: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging = Path(
        scripted_cli(
            "import subprocess; below = subprocess.Popen(['sleep', '60'])\n"
            "(here / 'below').write_text(str(below.pid)); below.wait()"
        )
    )
    monkeypatch.setattr(cli, "_TIMEOUT", 1.0)
    assert cli.version_of(hanging) is None
    below = int((tmp_path / "below").read_text())
    wait_until(lambda: not psutil.pid_exists(below) or not living([psutil.Process(below)]), timeout=5)
    monkeypatch.setattr(cli, "_TIMEOUT", 0.2)
    assert cli.login_of(hanging, tmp_path) == cli.Login(None, "", "it cannot be told: no answer within 0.2 s")


@pytest.mark.cli
@pytest.mark.parametrize(
    ("variables", "login"),
    [
        ({}, cli.Login(False, "none", "not logged in")),
        ({"ANTHROPIC_API_KEY": API_KEY}, cli.Login(True, "api_key", "logged in by api_key")),
        ({"CLAUDE_CODE_OAUTH_TOKEN": "x"}, cli.Login(True, "oauth_token", "logged in by oauth_token")),
        ({"CLAUDE_CODE_USE_BEDROCK": "1"}, cli.Login(True, "third_party", "logged in by bedrock")),
    ],
)
def test_the_real_one_says_how_it_is_logged_in_without_a_request(
    home: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], login: cli.Login
) -> None:
    with MessagesAPI() as api:
        environment = clean_environment(home, api.url)
        del environment["ANTHROPIC_API_KEY"]
        for name, value in (environment | variables).items():
            monkeypatch.setenv(name, value)
        assert cli.login_of(cli_path(), home / ".claude") == login
        assert api.requests == []


@pytest.mark.cli
@pytest.mark.parametrize(
    "written", [{"apiKeyHelper": "touch {home}/asked; echo k"}, {"env": {"ANTHROPIC_AUTH_TOKEN": "t"}}]
)
def test_a_login_by_settings_is_seen_and_nothing_else_of_them(
    home: Path, monkeypatch: pytest.MonkeyPatch, written: dict[str, object]
) -> None:
    """As it is for the agent: what would be no login there must be none here."""
    text = json.dumps(written | {"hooks": {"SessionStart": [{"hooks": [{"type": "command", "command": "false"}]}]}})
    for name, value in clean_environment(home, "http://127.0.0.1:9").items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    (home / ".claude" / "settings.json").write_text(text.replace("{home}", str(home)))
    login = cli.login_of(cli_path(), home / ".claude")
    assert login.logged_in
    assert login.method in ("api_key_helper", "oauth_token")
    assert not (home / "asked").exists()
    another = home / "another"
    another.mkdir()
    assert cli.login_of(cli_path(), another).logged_in is False


@pytest.mark.parametrize("answer", ["", "[]", "{}", "garbage", '{"loggedIn": "yes"}'])
def test_an_answer_that_is_not_known_tells_nothing(scripted_cli: Callable[[str], str], answer: str, home: Path) -> None:
    path = scripted_cli(f"print({answer!r}); print('it broke', file=sys.stderr); sys.exit(1)")
    assert cli.login_of(Path(path), home) == cli.Login(None, "", "it cannot be told: it broke")


@pytest.mark.parametrize(
    ("expires", "text"),
    [
        (None, "logged in by claude.ai"),
        (1_795_505_761_778, "logged in by claude.ai until 2026-11-24 07:36 UTC"),
        (1_795_505_761, "logged in by claude.ai until 2026-11-24 07:36 UTC"),
        ("2026-11-24T07:36:01Z", "logged in by claude.ai until 2026-11-24T07:36:01Z"),
        (-1, "logged in by claude.ai"),
        ([], "logged in by claude.ai"),
    ],
)
def test_the_end_of_a_login_is_told(scripted_cli: Callable[[str], str], home: Path, expires: object, text: str) -> None:
    said = {"loggedIn": True, "authMethod": "claude.ai", "apiProvider": "firstParty", "loginExpiresAt": expires}
    assert cli.login_of(Path(scripted_cli(f"print(json.dumps({said!r}))")), home).text == text


def test_what_the_cli_is_asked_with(
    scripted_cli: Callable[[str], str], tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = scripted_cli("(here / 'seen').write_text(json.dumps([sys.argv[1:], dict(os.environ), os.getcwd()]))")
    (home / ".claude" / "settings.json").write_text(json.dumps({"apiKeyHelper": "echo sk-secret", "hooks": {}}))
    monkeypatch.setenv("CLAUDECODE", "1")
    monkeypatch.setenv("CLAUDE_CODE_SESSION_ID", "of-the-session")
    cli.login_of(Path(path), home / ".claude")
    argv, environment, folder = json.loads((tmp_path / "seen").read_text())
    assert argv[0] == "--setting-sources="
    assert argv[1] == "--settings"
    assert argv[3:] == ["auth", "status"]
    assert not Path(folder).exists()  # of its own, and gone with the login that was in it
    assert not Path(argv[2]).exists()
    assert "CLAUDECODE" not in environment
    assert environment["CLAUDE_CODE_SESSION_ID"] == ""
    assert environment["CLAUDE_MEM_INSIDE"] == "1"
