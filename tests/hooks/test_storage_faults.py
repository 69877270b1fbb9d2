"""A disk that is full or read-only, a database that is damaged or another version's, locks that do not work.

Whatever it is, the hook ends well and in time, and the session is remembered all the same.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.hooks.conftest import EVENTS, QUIET, TIMEOUT, World, payload
from tests.transcript import lines
from watcher import settings as settings_room
from watcher.agent.extractive import ExtractiveAgent
from watcher.memory.database import Database
from watcher.service.digest import Digest
from watcher.service.ingest import Ingest
from watcher.service.lifecycle import Lifecycle

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a disk's faults are made with what POSIX has")

SCRIPTS = list(EVENTS)
SIGNALS = ["stop.py", "session_end.py"]
FULL_DISK = ("/bin/sh", "-c", 'ulimit -f 0; exec "$@"', "sh")  # no file can grow


def run(world: World, script: str, *prefix: str, event: bytes | None = None) -> bytes:
    """Run a hook by way of another program; whatever happens, it ends well and without a word."""
    done = subprocess.run(
        [*prefix, *world.command(script)],
        input=payload(script) if event is None else event,
        env=world.environment(),
        cwd=world.user_home,
        capture_output=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout


def unprivileged() -> tuple[str, ...]:
    """Return what to put before a command so that permissions hold for it."""
    if os.geteuid() != 0:
        return ()
    if shutil.which("setpriv") is None:
        pytest.skip("root may write everywhere, and there is no setpriv to take that away")
    return ("setpriv", "--bounding-set=-dac_override,-dac_read_search")


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_full_disk(watched: World, script: str) -> None:
    assert run(watched, script, *FULL_DISK) == QUIET
    assert watched.execute("SELECT * FROM flags") == []
    with suppress(FileNotFoundError):
        assert list((watched.home / "data" / "flags").iterdir()) == []
    if script in SIGNALS:
        run(watched, script)
        assert len(watched.execute("SELECT * FROM flags")) == 1


def test_a_flag_that_finds_no_room_costs_nothing(watched: World) -> None:
    settings = settings_room.load({"CLAUDE_MEM_HOME": str(watched.home), "HOME": str(watched.user_home)})
    transcript = watched.user_home / ".claude" / "projects" / "-api" / f"{lines.SESSION}.jsonl"
    transcript.parent.mkdir(parents=True)
    transcript.write_bytes(lines.turn(0, 1))
    event = payload("stop.py", lines.SESSION, transcript_path=str(transcript))
    assert run(watched, "stop.py", *FULL_DISK, event=event) == QUIET
    database = Database.existing(watched.database)
    digest = Digest(database, ExtractiveAgent(), settings)
    life = Lifecycle(database, Ingest(database, settings.capture), digest, settings.watch)
    life.follow(transcript)
    life.finalize(lines.SESSION)
    database.close()
    assert watched.execute("SELECT * FROM flags") == []
    (summary,) = watched.execute("SELECT * FROM session_summaries")
    assert summary["request"] == "Do number 1"


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_folder_that_is_read_only(watched: World, script: str) -> None:
    data = watched.home / "data"
    files = list(data.iterdir())
    for path in files:
        path.chmod(0o400)
    data.chmod(0o500)
    try:
        assert run(watched, script, *unprivileged()) == QUIET
    finally:
        data.chmod(0o700)
        for path in files:
            path.chmod(0o600)
    assert "cannot open" in watched.log or "readonly" in watched.log or "Permission denied" in watched.log


def overwrite_header(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"\xa5" * 100)


def overwrite_pages(path: Path) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (size - 4096))


DAMAGES: dict[str, Callable[[Path], None]] = {
    "header": overwrite_header,
    "pages": overwrite_pages,
    "half": lambda path: os.truncate(path, path.stat().st_size // 2 // 4096 * 4096),
}


@pytest.mark.parametrize("script", SIGNALS)
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_database(watched: World, script: str, damage: Callable[[Path], None]) -> None:
    damage(watched.database)
    assert run(watched, script) == QUIET
    assert "not a database" in watched.log or "malformed" in watched.log
    # It is there once the memory is rebuilt.
    assert len(list((watched.home / "data" / "flags").glob("*.json"))) == 1


def test_garbage_in_the_log(watched: World) -> None:
    watched.run("stop.py")
    watched.database.with_name("claude-mem.db-wal").write_bytes(os.urandom(40_000))
    assert run(watched, "session_end.py") == QUIET
    assert [flag["kind"] for flag in watched.execute("SELECT kind FROM flags")][-1] == "cleanup"


def test_a_newer_schema(watched: World) -> None:
    watched.execute("UPDATE alembic_version SET version_num = 'ffff'")
    watched.execute("ALTER TABLE flags ADD COLUMN new TEXT")
    for script in SCRIPTS:
        assert run(watched, script) == QUIET
    assert [row["kind"] for row in watched.execute("SELECT kind FROM flags")] == ["finalize", "cleanup"]
    assert len(watched.execute("SELECT * FROM sdk_sessions")) == 1
    assert watched.log == ""


def test_an_older_schema(watched: World) -> None:
    watched.execute("DROP TABLE conditions")
    watched.execute("UPDATE alembic_version SET version_num = '0001'")
    for script in SCRIPTS:
        assert run(watched, script) == QUIET
    assert [row["kind"] for row in watched.execute("SELECT kind FROM flags")] == ["finalize", "cleanup"]
    assert watched.log == ""


# As on a network drive without a lock service: the calls are there, and refuse.
NO_LOCKS = """
import errno, fcntl, os, sys
def flock(*_):
    raise OSError(errno.{error}, os.strerror(errno.{error}))
fcntl.flock = flock
path = {path!r}
exec(compile(open(path).read(), path, "exec"), {{"__name__": "__main__", "__file__": path}})
"""


def prompt_without_locks(world: World, error: str) -> None:
    path = str(world.plugin / "hooks" / "user_prompt_submit.py")
    done = subprocess.run(
        [world.python, "-I", "-S", "-c", NO_LOCKS.format(error=error, path=path)],
        input=payload("user_prompt_submit.py"),
        env=world.environment(),
        capture_output=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, QUIET, b"")


@pytest.mark.parametrize("error", ["ENOLCK", "ENOSYS", "EOPNOTSUPP"])
def test_without_locks_no_watcher_is_started_and_that_is_said_now_and_then(memory: World, error: str) -> None:
    memory.name_launcher(memory.install_launcher(memory.user_home / "python", ""))
    for _ in range(3):
        prompt_without_locks(memory, error)
    assert len(memory.log.splitlines()) == 1
    assert "locks do not work" in memory.log
    assert "try: claude-mem watch" in memory.log
    assert not (memory.home / "data" / "watcher.starting").read_bytes()
    assert len(memory.execute("SELECT * FROM sdk_sessions")) == 1
    os.utime(memory.home / "data" / "locks.failed", (1, 1))
    prompt_without_locks(memory, error)
    assert len(memory.log.splitlines()) == 2


def test_a_watcher_that_found_that_locks_do_not_work_is_not_started_again_soon(memory: World) -> None:
    memory.name_launcher(memory.install_launcher(memory.user_home / "python", ""))
    marker = memory.home / "data" / "locks.failed"
    marker.write_text("failed\n")
    memory.run("user_prompt_submit.py")
    assert not (memory.home / "data" / "watcher.starting").exists()
    os.utime(marker, (1, 1))
    memory.run("user_prompt_submit.py")
    memory.wait_started()
