"""Owns the Claude Code CLI as a program: where it is, how old it is, and whether it is logged in.

Asking costs a process or none, and never a request to the model. Importing this is cheap: the SDK is looked up, not
loaded.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from watcher import system
from watcher.agent import environment
from watcher.settings import AgentSettings

# From this version on the CLI leaves `@path` and `/command` in a prompt alone when told to. The SDK only warns of
# an older one, which would put the user's files into requests.
OLDEST = (2, 1, 248)

_GUARD = Path(__file__).with_name("guard.py")
_TIMEOUT = 10.0  # seconds; a version takes 0.01, the login 0.2
_PROGRAM = "claude.exe" if system.WINDOWS else "claude"
# Where the SDK looks too, below the home unless absolute. On Windows npm's `claude.cmd` will not do.
_USUAL_PLACES = (
    (".local/bin",)
    if system.WINDOWS
    else (
        ".npm-global/bin",
        "/usr/local/bin",
        ".local/bin",
        "node_modules/.bin",
        ".yarn/bin",
        ".claude/local",
    )
)


@dataclass(frozen=True, slots=True)
class Login:
    """Whether the agent's process is logged in, as the CLI says of itself."""

    logged_in: bool | None  # None: it cannot be told
    method: str  # "claude.ai", "oauth_token", "api_key", "api_key_helper", "third_party", …; "none"; may be empty
    text: str  # one line for the user


def find_cli(settings: AgentSettings) -> Path | None:
    """Return the CLI that the agent runs: the one named in the settings, else the SDK's own, else the user's."""
    return next((path for path in _candidates(settings) if os.access(path, os.X_OK) and path.is_file()), None)


def looked_at(settings: AgentSettings) -> str:
    """Say where `find_cli` looks, for whoever is told that there is none."""
    if settings.cli_path:
        return f"at {settings.cli_path}"
    return "in claude-agent-sdk, on PATH or in the usual places"


def version_of(path: Path) -> tuple[int, int, int] | None:
    """Return the version that a CLI says it has; None where it says none, or nothing in time."""
    ran = system.run([str(path), "--version"], timeout=_TIMEOUT, environment=_environment(), folder=Path.cwd())
    return parsed(ran.output) if ran.code == 0 else None


def parsed(version: str) -> tuple[int, int, int] | None:
    """Return the three numbers at the start of what a CLI says of its version."""
    found = re.match(r"\s*(\d{1,9})\.(\d{1,9})\.(\d{1,9})", version)
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def login_of(path: Path, claude_dir: Path) -> Login:
    """Ask a CLI how it is logged in, told as little of the user's world as the agent is.

    It makes no request, and runs no `apiKeyHelper`: what it says is what it would try.
    """
    written = environment.read_settings(claude_dir)
    with tempfile.TemporaryDirectory(prefix="claude-mem-") as folder:
        login = environment.login_file(written, Path(folder))
        options = ["--setting-sources=", *(["--settings", login] if login else [])]
        told = environment.variables(os.environ, written, claude_dir, _TIMEOUT)
        ran = system.run(
            [str(path), *options, "auth", "status"],
            timeout=_TIMEOUT,
            environment=_environment() | told,
            folder=Path(folder),
        )
    said = _decoded(ran.output)
    logged_in = said.get("loggedIn")
    if not isinstance(logged_in, bool):
        return Login(None, "", f"it cannot be told: {ran.problem or 'no answer that is known'}")
    method = str(said.get("authMethod") or "")
    if not logged_in:
        return Login(False, method, "not logged in")
    return Login(True, method, f"logged in by {_worded(method, said)}{_until(said.get('loginExpiresAt'))}")


def guarded(path: Path, folder: Path) -> tuple[Path, dict[str, str]]:
    """Return what to run in a CLI's place, and with which variables, so that it dies with this process.

    Only Linux tells a process of its parent's death, and a folder may allow no programs in it. There the CLI of a
    watcher that is killed goes on until its turn is over: its own time-outs, of a request and of the tries at it,
    bound that.
    """
    program = system.launcher(folder / "guard", _GUARD) if system.LINUX else None
    if program is None:
        return path, {}
    from watcher.agent import guard  # only Linux has all that it imports

    return program, guard.variables(str(path))


def _candidates(settings: AgentSettings) -> Iterator[Path]:
    if settings.cli_path:
        named = Path(settings.cli_path).expanduser()
        # A bare name is looked for on PATH, as everywhere.
        found = shutil.which(settings.cli_path) if named.name == settings.cli_path else None
        yield Path(found or named).absolute()
        return
    spec = importlib.util.find_spec("claude_agent_sdk")
    if spec is not None and spec.origin:
        yield Path(spec.origin).parent / "_bundled" / _PROGRAM
    for folder in map(Path, os.environ.get("PATH", "").split(os.pathsep)):
        if folder.is_absolute():  # else it would depend on where the watcher was started
            yield folder / _PROGRAM
    for place in _USUAL_PLACES:
        yield Path.home() / place / _PROGRAM


def _environment() -> dict[str, str]:
    """Return the watcher's own, without the mark that would make the CLI think it runs inside another."""
    return {name: value for name, value in os.environ.items() if name != "CLAUDECODE"}


def _decoded(output: str) -> dict[str, Any]:
    try:
        said = json.loads(output)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _worded(method: str, said: dict[str, Any]) -> str:
    provider = said.get("apiProvider")
    return str(provider) if method == "third_party" and provider else method or "a way it does not name"


def _until(expires: object) -> str:
    """Return until when a login holds; empty where the CLI does not say, or says it in a way that is not known."""
    if isinstance(expires, str) and expires:
        return f" until {expires}"
    if isinstance(expires, int | float) and 0 < expires < 1e14:
        # Milliseconds, as all its times are; seconds where that would be in the seventies.
        seconds = expires / 1000 if expires > 1e11 else expires
        return f" until {datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"
    return ""
