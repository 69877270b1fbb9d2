"""Commands that only read import nothing heavy: they take a few times what Python itself does, and are typed often."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import FIXTURES

HEAVY = {
    "sqlalchemy",
    "alembic",
    "pydantic",
    "claude_agent_sdk",
    "mcp",
    "watchdog",
    "psutil",
    "filelock",
    "rich",
    "tomllib",
}
# Runs a command as `claude-mem` does, and says on stderr which of the heavy ones were imported for it.
_RUN = """
import sys
sys.argv[0] = "claude-mem"
from watcher.__main__ import main
try:
    main()
finally:
    print("imported:", *sorted({heavy!r} & set(sys.modules)), file=sys.stderr)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose memory holds a session."""
    made = tmp_path_factory.mktemp("home")
    assert run(made, "replay", str(FIXTURES / "ordinary")).returncode == 0
    return made


def run(home: Path, *args: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "USERPROFILE": str(home)}
    return subprocess.run(
        [sys.executable, "-P", "-c", _RUN.format(heavy=HEAVY), *args],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=home,
        stdin=subprocess.DEVNULL,
    )


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["--help"], 0),
        (["--version"], 0),
        (["status"], 0),
        (["status", "--json"], 0),
        (["context", "--project", "/home/dev/tidytime"], 0),
        (["context", "--json"], 0),
        (["context", "--explain", "--project", "/home/dev/tidytime"], 0),
        (["context", "--explain", "--json"], 0),
        (["search", "duration"], 0),
        (["search", "parse", "duration", "--project", "/home/dev/tidytime", "--limit", "3", "--json"], 0),
        (["search", "nonesuch"], 0),
        (["timeline", "#1"], 0),
        (["timeline", "duration", "--before", "2", "--json"], 0),
        (["show", "#1", "S1", "P1", "8e2f"], 0),
        (["show", "#1", "--json"], 0),
        (["sessions", "--limit", "3"], 0),
        (["projects", "--json"], 0),
        (["mcp"], 0),  # its input is at its end
        (["usage"], 0),
        (["export"], 0),
        (["export", "--format", "markdown", "--since", "2020-01-01"], 0),
        (["usage", "--by", "session", "--days", "7", "--json"], 0),
        (["context", "--project", "/nowhere"], 1),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_command_that_only_reads_imports_nothing_heavy(home: Path, args: list[str], code: int) -> None:
    finished = run(home, *args)
    assert finished.returncode == code, finished
    assert finished.stderr.endswith("imported:\n"), finished.stderr


def test_what_is_heavy_is_seen_where_it_is_used(home: Path) -> None:
    assert "sqlalchemy" in run(home, "retry").stderr.splitlines()[-1]
