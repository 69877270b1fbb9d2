"""The commands that only read: whatever is typed, an answer, or an error that says what to type next."""

from __future__ import annotations

import json
import os
from pathlib import Path

from hypothesis import strategies as st
from typer.testing import CliRunner

from tests.fuzz.targets.search import _memory as memory
from tests.fuzz.values import texts
from watcher.cli import app
from watcher.errors import ClaudeMemError

OPTIONS = (
    *("--json", "--limit", "--offset", "--project", "--since", "--until", "--type", "--file", "--concept", "--session"),
    *(
        "--kind",
        "--order",
        "--all",
        "--all-projects",
        "--before",
        "--after",
        "--days",
        "--explain",
        "-n",
        "--",
        "-",
        "--x=",
    ),
)
WORDS = (
    "#1",
    "S1",
    "P1",
    "s1",
    "#0",
    "S99999999999999999999",
    "#-1",
    "today",
    "12h",
    "2026-11-01",
    "5",
    "change",
    "/api",
)
COMMANDS = ("search", "timeline", "show", "sessions", "projects", "usage", "context", "status")
ARGUMENTS = st.sampled_from(OPTIONS) | st.sampled_from(WORDS) | texts(*WORDS, most=3).map(lambda text: text[:300])
CASES = st.tuples(st.sampled_from(COMMANDS), st.lists(ARGUMENTS, max_size=4))
EXAMPLES = 150


def check(case: tuple[str, list[str]], folder: Path) -> None:
    command, given = case
    memory(folder)
    if command == "projects":  # it can also join two, and name one
        given = [one for one in given if one.startswith("-")]
    arguments = [os.fsencode(one.replace("\0", "").encode("utf-8", "replace").decode()).decode() for one in given]
    environment = {"CLAUDE_MEM_HOME": str(folder), "CLAUDE_CONFIG_DIR": str(folder / "claude")}
    done = CliRunner().invoke(app, [command, *arguments], env=environment)
    error = done.exception
    if isinstance(error, ClaudeMemError):
        assert error.hint
    elif isinstance(error, SystemExit):
        assert done.exit_code in (0, 1, 2)
    elif error is not None:
        raise error
    elif "--json" in arguments and "--help" not in arguments and done.stdout.startswith(("{", "[")):
        json.loads(done.stdout)
    assert "Traceback" not in done.output
