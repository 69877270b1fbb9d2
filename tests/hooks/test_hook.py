"""What every hook does and never does, whatever it is given."""

from __future__ import annotations

import ast
import json
import re
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.hooks.conftest import EVENTS, QUIET, TIMEOUT, World, payload
from watcher import resources
from watcher.privacy import hook_events

SCRIPTS = list(EVENTS)
WRITERS = ["user_prompt_submit.py", "stop.py", "session_end.py"]
BROKEN = {
    "empty": b"",
    "no-json": b"hello",
    "torn": b'{"session_id": "s-1", ',
    "no-object": b"[1]",
    "no-session": b'{"cwd": "/home/me/api"}',
    "session-is-a-number": b'{"session_id": 7}',
}
# What a hook may load beside what Python's start and SQLite's own module load: json, subprocess, pathlib, datetime
# and the like each cost as much as a good part of Python's own start.
LIGHT = {
    "_blake2",
    "hook",
    "launch",
    "os",
    "_collections_abc",
    "stat",
    "posixpath",
    "ntpath",
    "genericpath",
    "_stat",
    "time",
    "fcntl",
    "msvcrt",
}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("script", SCRIPTS)
def test_hooks_answer_quietly(watched: World, script: str) -> None:
    assert watched.run(script) == QUIET
    assert json.loads(QUIET) == {"continue": True, "suppressOutput": True}
    assert watched.log == ""


@pytest.mark.parametrize("event", BROKEN.values(), ids=BROKEN.keys())
@pytest.mark.parametrize("script", SCRIPTS)
def test_broken_event_is_logged(watched: World, script: str, event: bytes) -> None:
    assert watched.run(script, event) == QUIET
    assert len(watched.log.splitlines()) == 1
    name = EVENTS[script]["hook_event_name"]
    assert re.match(rf"\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ {name} \w+: ", watched.log)
    assert not watched.execute("SELECT * FROM flags") + watched.execute("SELECT * FROM sdk_sessions")


def test_closed_stdin_is_logged(watched: World) -> None:
    command = 'exec "$@" <&-'
    done = subprocess.run(
        ["/bin/sh", "-c", command, "sh", *watched.command("stop.py")],
        env=watched.environment(),
        capture_output=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, QUIET, b"")
    assert len(watched.log.splitlines()) == 1


@pytest.mark.parametrize("script", SCRIPTS)
def test_without_database(world: World, script: str) -> None:
    assert world.run(script) == QUIET
    assert "claude-mem install" in world.log
    assert not world.database.exists()


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("content", [b"", b"no database" * 1000], ids=["empty", "damaged"])
def test_broken_database_is_logged(world: World, script: str, content: bytes) -> None:
    world.database.parent.mkdir(parents=True)
    world.database.write_bytes(content)
    assert world.run(script) == QUIET
    assert re.search(r"no such table|not a database", world.log)


@pytest.mark.parametrize("script", WRITERS)
def test_locked_database_is_logged_soon(watched: World, script: str) -> None:
    """All SessionEnd hooks of a plugin have 1.5 s together; what a hook waits for a lock stays well below."""
    with closing(sqlite3.connect(watched.database, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        assert watched.run(script, timeout=5) == QUIET
    assert "database is locked" in watched.log
    assert len(watched.log.splitlines()) == 1


def test_a_lock_in_passing_is_waited_for(watched: World) -> None:
    with closing(sqlite3.connect(watched.database, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        with watched.started("stop.py") as process:
            assert process.stdin is not None
            process.stdin.write(payload("stop.py"))
            process.stdin.close()
            process.stdin = None
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.3)
            connection.execute("COMMIT")
            assert process.communicate(timeout=TIMEOUT) == (QUIET, b"")
    assert len(watched.execute("SELECT * FROM flags")) == 1


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_memorys_own_agent_is_not_remembered(memory: World, script: str) -> None:
    memory.put_context("What was done.")
    memory.extra["CLAUDE_MEM_INSIDE"] = "1"
    assert memory.run(script) == QUIET
    assert memory.run(script, b"broken") == QUIET
    assert not (memory.home / "logs").exists()
    for table in ("flags", "sdk_sessions", "deliveries"):
        assert not memory.execute(f"SELECT * FROM {table}")


def test_bytes_that_are_no_utf8_do_no_harm(watched: World) -> None:
    assert watched.run("stop.py", payload("stop.py").replace(b"Fixed", b"Fi\xff\xfeed")) == QUIET
    (flag,) = watched.execute("SELECT * FROM flags")
    assert json.loads(flag["event"])["closing_digest"] == hook_events.digest("Fi\ufffd\ufffded.")


def test_lone_surrogate_does_no_harm(watched: World) -> None:
    assert watched.run("user_prompt_submit.py", payload("user_prompt_submit.py", cwd="/odd\ud800")) == QUIET
    (session,) = watched.execute("SELECT * FROM sdk_sessions")
    assert session["cwd"].startswith("/odd\ufffd")


def test_huge_event_is_told_in_few_words(watched: World) -> None:
    event = payload("stop.py", last_assistant_message="ü" * 5_000_000)
    assert watched.run("stop.py", event) == QUIET
    (flag,) = watched.execute("SELECT event FROM flags")
    assert json.loads(flag["event"])["closing_digest"] == hook_events.digest("ü" * 5_000_000)
    assert len(flag["event"]) < 500


@pytest.mark.parametrize("script", SCRIPTS)
def test_nobody_reads_the_answer(watched: World, script: str) -> None:
    with watched.started(script) as process:
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        assert process.communicate(payload(script), TIMEOUT)[1] == b""
    assert process.returncode == 0


@pytest.fixture
def _interruptible() -> Iterator[None]:
    """Let processes be interrupted: a script's background job, such as a test run, hands down that they are not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_interruptible")
def test_interrupt_is_no_word(memory: World) -> None:
    memory.edit("session_start.py", "WAIT = 2.0", "WAIT = 60.0")
    memory.name_launcher(memory.install_launcher(memory.user_home / "python", ""))
    memory.raise_flag()
    with memory.started("session_start.py") as process:
        assert process.stdin is not None
        process.stdin.write(payload("session_start.py"))
        process.stdin.flush()
        process.stdin.close()
        process.stdin = None
        memory.wait_started()
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=TIMEOUT) == (QUIET, b"")
    assert process.returncode == 0
    assert "SessionStart KeyboardInterrupt" in memory.log


def test_places_are_private(world: World) -> None:
    world.run("stop.py")
    assert mode(world.home) == mode(world.home / "logs") == 0o700
    assert mode(world.home / "logs" / "hooks.log") == 0o600


def test_log_is_rotated(world: World) -> None:
    log = world.home / "logs" / "hooks.log"
    log.parent.mkdir(parents=True)
    log.write_bytes(b"old\n" * 250_001)
    world.run("stop.py")
    assert len(world.log.splitlines()) == 1
    assert log.with_name("hooks.log.1").stat().st_size == 1_000_004
    assert mode(log) == 0o600


@pytest.mark.skipif(sys.platform == "win32", reason="no such device")
def test_home_that_cannot_be(world: World) -> None:
    world.extra["CLAUDE_MEM_HOME"] = "/dev/null/memory"
    for script in SCRIPTS:
        assert world.run(script) == QUIET


def test_home_defaults_to_the_users(world: World) -> None:
    world.home = world.user_home / ".claude-mem"
    world.create_database()
    world.extra["CLAUDE_MEM_HOME"] = ""
    world.run("stop.py")
    assert len(world.execute("SELECT * FROM flags")) == 1


def test_home_of_an_odd_name(world: World) -> None:
    world.home = world.home / "a b#c?d%41&é"
    world.create_database()
    world.run("stop.py")
    assert len(world.execute("SELECT * FROM flags")) == 1


@pytest.mark.parametrize("script", SCRIPTS)
def test_hooks_load_little(watched: World, script: str) -> None:
    def loaded(*command: str) -> set[str]:
        done = subprocess.run(
            [watched.python, "-I", "-S", "-X", "importtime", *command],
            input=payload(script),
            env=watched.environment(),
            capture_output=True,
            timeout=TIMEOUT,
            check=True,
        )
        return {line.rpartition("|")[2].strip() for line in done.stderr.decode().splitlines()}

    path = watched.plugin / "hooks" / script
    watched.run(script)  # compiles; what that takes is no part of the ordinary run
    assert loaded(str(path)) - loaded("-c", "import _sqlite3") <= LIGHT


@pytest.mark.parametrize("path", sorted(resources.hooks().glob("*.py")), ids=lambda path: path.name)
def test_hooks_are_plain_python_3_9(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 9))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "." for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported <= sys.stdlib_module_names | {"hook", "launch", "recall"}


@pytest.mark.parametrize("path", sorted(resources.hooks().glob("*.py")), ids=lambda path: path.name)
def test_values_have_names(path: Path) -> None:
    """Python 3.14 takes `?1` with a dict alone, and Python 3.12 warns of it; `:name` is the same everywhere."""
    assert not re.search(r"\?\d", path.read_text(encoding="utf-8"))


def test_no_compiled_sqlite_module(watched: World) -> None:
    """Another Python implementation may have only `sqlite3` itself."""
    watched.edit("hook.py", "import _sqlite3 as sqlite", "import _no_such_sqlite3 as sqlite")
    watched.run("stop.py")
    assert len(watched.execute("SELECT * FROM flags")) == 1


def test_what_an_error_quotes_is_not_logged(watched: World) -> None:
    watched.edit("stop.py", 'hook.raise_flag(event, "finalize")', "int(event.closing)")
    assert watched.run("stop.py", payload("stop.py", last_assistant_message="my secret")) == QUIET
    assert "Stop ValueError in stop.py, line " in watched.log
    assert "secret" not in watched.log


def test_a_home_that_the_user_has_linked_is_used(watched: World) -> None:
    watched.home.symlink_to(watched.home.rename(watched.user_home / "elsewhere"))
    watched.run("stop.py")
    assert len(watched.execute("SELECT * FROM flags")) == 1


@pytest.mark.parametrize("bits", [0o770, 0o702], ids=["group", "others"])
def test_nothing_is_done_where_others_can_write(world: World, bits: int) -> None:
    world.home.mkdir()
    world.home.chmod(bits)
    for script in SCRIPTS:
        assert world.run(script) == QUIET
    assert list(world.home.iterdir()) == []


@pytest.mark.parametrize("name", ["data", "data/claude-mem.db"])
def test_a_database_that_others_can_get_at_and_write_is_left_alone(watched: World, name: str) -> None:
    watched.home.chmod(0o755)
    path = watched.home / name
    path.chmod(path.stat().st_mode | 0o022)
    assert watched.run("stop.py") == QUIET
    assert "others can write into" in watched.log
    assert watched.execute("SELECT * FROM flags") == []
