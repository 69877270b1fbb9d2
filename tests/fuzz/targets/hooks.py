"""The hooks' stdin: whatever stands there, a hook ends well, says nothing but its answer, and stays in its home."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from tests.fuzz.values import changed, json_bytes, json_values, parsed, texts
from tests.memory.past import put_session
from tests.soak.dump import is_sound
from watcher import resources
from watcher.memory.database import Database

QUIET = b'{"continue": true, "suppressOutput": true}'
SCRIPTS = ("session_start.py", "user_prompt_submit.py", "stop.py", "session_end.py")
TIMEOUT = 20.0  # seconds; only a hook that hangs takes so long
WORDS = (
    "session_id",
    "transcript_path",
    "cwd",
    "source",
    "prompt",
    "startup",
    "compact",
    "s1",
    "../../x",
    "/api",
    "Saw s1",
)
_SAID = {"session_id": "s-1", "transcript_path": "/home/me/.claude/projects/-api/s-1.jsonl", "cwd": "/api"}
EVENTS = [
    parsed(json.dumps({**_SAID, **more}))
    for more in (
        {"hook_event_name": "SessionStart", "source": "startup"},
        {"hook_event_name": "UserPromptSubmit", "prompt": "What of retry_pause, and Saw s1 in src/pool.py?"},
        {"hook_event_name": "Stop", "stop_hook_active": False, "last_assistant_message": "Fixed."},
        {"hook_event_name": "SessionEnd", "reason": "other"},
    )
]
FOLDERS = st.none() | texts(*WORDS, most=3).map(lambda text: text.replace("\0", "")[:100])
CASES = st.tuples(
    st.sampled_from(SCRIPTS),
    json_bytes(changed(EVENTS, *WORDS)) | json_bytes(json_values(*WORDS)) | st.binary(),
    FOLDERS,  # $CLAUDE_PROJECT_DIR
    st.sampled_from(["", "3", "0", "x", "٣", "9" * 30]),  # $CLAUDE_MEM_CONTEXT_AT_PROMPT
)
EXAMPLES = 60
SEEDS = (
    ("stop.py", b'{"session_id":"s-8","cwd":"/api","last_assistant_message":"\xff"}', None, ""),
    ("session_end.py", b'{"session_id":"s-9","cwd":[1],"transcript_path":{"a":1},"reason":7}', "/api", ""),
    ("user_prompt_submit.py", b'{"session_id":"s-9","cwd":"/api","prompt":"Saw s1 of s1.py and s-1.py"}', None, "3"),
)


@cache
def _memory(folder: Path) -> Database:
    """Return the memory in a home, beside which hooks lie that find no watcher to start."""
    shutil.rmtree(folder / "memory", ignore_errors=True)
    shutil.copytree(resources.hooks(), folder / "plugin" / "hooks", dirs_exist_ok=True)
    (folder / "user" / "work").mkdir(parents=True, exist_ok=True)
    made = Database.create(folder / "memory" / "data" / "claude-mem.db")
    put_session(made, "s1", 1, project="/api")
    with closing(sqlite3.connect(made.path)) as connection, connection:
        connection.execute("INSERT INTO contexts VALUES ('/api', 'What was done.', 1)")
    return made


def check(case: tuple[str, bytes, str | None, str], folder: Path) -> None:
    script, event, project, at_prompt = case
    database = _memory(folder)
    variables = {"PATH": os.defpath, "HOME": str(folder / "user"), "CLAUDE_MEM_HOME": str(folder / "memory")}
    variables |= {"CLAUDE_PROJECT_DIR": project.encode("utf-8", "replace").decode()} if project is not None else {}
    variables |= {"CLAUDE_MEM_CONTEXT_AT_PROMPT": at_prompt} if at_prompt else {}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-I", "-S", str(folder / "plugin" / "hooks" / script)],
        input=event,
        capture_output=True,
        env=variables,
        cwd=folder / "user" / "work",
        timeout=TIMEOUT,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    _check_printed(script, done.stdout)
    assert sorted(path.name for path in folder.iterdir() if path.is_dir()) == ["memory", "plugin", "user"]
    assert [*(folder / "user").rglob("*")] == [folder / "user" / "work"]
    assert {path.name for path in (folder / "memory").iterdir()} <= {"data", "logs"}
    assert is_sound(database.path)
    if script in ("stop.py", "session_end.py"):
        _check_raised(database, folder, event)


def _check_printed(script: str, printed: bytes) -> None:
    """See that it says what Claude Code expects: the quiet answer, or a text where a hook may give one."""
    if printed != QUIET:
        assert script in ("session_start.py", "user_prompt_submit.py")
        printed.decode()


def _check_raised(database: Database, folder: Path, event: bytes) -> None:
    """See that the flag of an event that is whole is there."""
    session = _session(event)
    if session:
        with closing(sqlite3.connect(database.path)) as connection:
            found = connection.execute("SELECT count(*) FROM flags WHERE session_id = ?", (session,)).fetchone()[0]
        assert found or list((folder / "memory" / "data" / "flags").glob("*.json"))


def _session(event: bytes) -> str:
    """Return the session of an event; empty where it is not plainly one."""
    try:
        text = event.decode("utf-8", "replace")  # what is broken elsewhere in it is no reason to lose the flag
        said: Any = json.loads(text, object_pairs_hook=_once, parse_constant=_refused, parse_float=str)
    except (ValueError, RecursionError):
        return ""
    session = said.get("session_id") if isinstance(said, dict) else None
    is_plain = (
        isinstance(session, str)
        and session.isprintable()
        and "\ufffd" not in session
        and b"\0" not in event
        and b"u0000" not in event
    )
    return session if is_plain and len(event) < 5000 else ""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("a name stands there twice")
    return dict(pairs)


def _refused(name: str) -> None:
    raise ValueError(name)
