"""A disk that is full or read-only, a database that is damaged, locks that do not work: nothing is lost by it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.claude_cli import wait_until
from tests.conftest import FIXTURES
from tests.memory.test_search_index import DAMAGES as DAMAGED_INDEX
from tests.rows import rows
from tests.service.recorder import ScriptedAgent
from tests.service.watcher_process import WatcherProcess
from tests.transcript import lines
from watcher.cli import watch
from watcher.memory import salvage, watchers
from watcher.memory.database import DamagedError, Database, DatabaseBusyError
from watcher.service import presence, rebuild
from watcher.service.digest import Digest, Outcome
from watcher.service.events import Event
from watcher.service.ingest import Ingest
from watcher.service.lifecycle import Lifecycle
from watcher.settings import Settings

SESSIONS = [f"{number:08}-0000-4000-8000-000000000000" for number in range(8)]
TURNS = 3  # of a session
TOOLS = 4  # of a turn
HOUR = 3_600_000  # milliseconds
# What must be the same after a rebuilding, whoever has worded it.
FACTS = (
    "SELECT uuid, session_id, prompt_number, prompt_text, closing_text, ended_at_epoch IS NULL FROM user_prompts",
    "SELECT tool_use_id, session_id, prompt_number, name, status FROM tool_uses",
    "SELECT session_id, prompt_number, project, source FROM session_summaries",
    "SELECT session_id, project, status, prompt_count, tool_use_count FROM sdk_sessions",
)
UNPRIVILEGED = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]


def since_now(at: int) -> int:
    """Return a time for `lines`, `at` milliseconds from now."""
    return int(time.time() * 1000) - lines.BEGIN + at


class PatientWatcher(WatcherProcess):
    """One whose database may be damaged for a while."""

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        try:
            return super().rows(sql)
        except sqlite3.DatabaseError:
            return []


@pytest.fixture
def watcher(tmp_path: Path) -> Iterator[WatcherProcess]:
    often = ("WATCH_DISCOVER_INTERVAL", "WATCH_SCAN_INTERVAL", "AGENT_RETRY_PAUSE")
    variables = {f"CLAUDE_MEM_{name}": "0.2" for name in often}
    with PatientWatcher(tmp_path, **variables) as process:
        yield process


@pytest.fixture
def memory(settings: Settings) -> Settings:
    """A memory of eight sessions of old, which a model has observed, and the transcript of each."""
    database = Database.create(settings.database)
    presence.write_launcher(settings)
    with database.write() as connection:
        run = watchers.started(connection, pid=1, version="0", now=lines.BEGIN)
        watchers.stopped(connection, run, reason="idle", now=lines.BEGIN)
    digest = Digest(database, ScriptedAgent(), settings)
    life = Lifecycle(database, Ingest(database, settings.capture), digest, settings.watch)
    for number, session in enumerate(SESSIONS):
        path = settings.projects / "-home-dev-api" / f"{session}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        begun = number * HOUR
        path.write_bytes(b"".join(wordy_turn(begun + turn * 60_000, number * TURNS + turn) for turn in range(TURNS)))
        os.utime(path, (lines.BEGIN / 1000 + begun / 1000 + 600,) * 2)
        life.follow(path)
        life.finalize(session)
        while digest.ask_agent(session) is Outcome.DONE:
            pass
        life.end(session, at=lines.BEGIN + begun + 600_000, reason="prompt_input_exit")
    database.close()
    return settings


def wordy_turn(at: int, number: int) -> bytes:
    """Return a turn of which there is room for a few on a page."""
    whole = lines.turn(at, number, TOOLS)
    return whole.replace(b'"Do number', b'"' + b"Please, and with care: " * 40 + b"do number", 1)


def rebuilt(settings: Settings, *, is_stopping: Callable[[], bool] = lambda: False) -> list[Event]:
    """Do what a watcher does at its start; return what it tells."""
    events: list[Event] = []
    try:
        rebuild.create(settings)
        rebuild.check(settings)
    except DamagedError as error:
        rebuild.put_aside(settings, str(error), listener=events.append)
        rebuild.create(settings)
    database = Database(settings.database)
    with database.write() as connection:
        watchers.started(connection, pid=2, version="0", now=since_now(lines.BEGIN))
    rebuild.Rebuild(settings, database, listener=events.append, is_stopping=is_stopping).run()
    database.close()
    return events


def facts(settings: Settings) -> list[list[tuple[object, ...]]]:
    return [sorted(rows(settings.database, query)) for query in FACTS]


def agents(settings: Settings) -> set[tuple[str, str]]:
    """Return who has worded what is known of each session."""
    found = rows(
        settings.database,
        "SELECT session_id, agent FROM observations UNION SELECT session_id, agent FROM session_summaries",
    )
    return {(session, agent) for session, agent in found}


def damaged(settings: Settings) -> list[Path]:
    return sorted(settings.database.parent.glob("damaged-*"))


def overwrite_header(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(os.urandom(100))


def overwrite_page_of(words: bytes, path: Path) -> None:
    """Overwrite the pages of rows on which some words stand."""
    whole = path.read_bytes()
    pages = [at for at in range(4096, len(whole), 4096) if whole[at] == 0x0D and words in whole[at : at + 4096]]
    assert pages
    with path.open("r+b") as file:
        for page in pages:
            file.seek(page)
            file.write(b"\xa5" * 4096)


def cut_in_half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2 // 4096 * 4096)


DAMAGES: dict[str, Callable[[Path], None]] = {
    "header": overwrite_header,
    "page": lambda path: overwrite_page_of(b"Did number 7.", path),
    "half": cut_in_half,
    "empty": lambda path: os.truncate(path, 0),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_database_is_put_aside_and_the_memory_rebuilt(
    memory: Settings, watcher: WatcherProcess, damage: Callable[[Path], None]
) -> None:
    before = facts(memory)
    assert [len(found) for found in before] == [24, 96, 24, 8]
    damage(memory.database)
    broken = memory.database.read_bytes()
    # With the model as its agent, and none to be had: whatever is rebuilt is not the model's.
    watcher.environment |= {"CLAUDE_MEM_AGENT": "claude", "CLAUDE_MEM_AGENT_CLI_PATH": "/no/such/claude"}
    watcher.start()
    watcher.wait_for_rows("SELECT state FROM conditions WHERE name = 'database'", [("rebuilt",)])
    assert facts(memory) == before
    (folder,) = damaged(memory)
    assert (folder / memory.database.name).read_bytes() == broken
    ((text, hint),) = watcher.rows("SELECT text, hint FROM conditions WHERE name = 'database'")
    assert str(folder) in text
    assert hint.endswith(f"delete {folder}")
    said = watcher.output.read_text()
    assert f"put aside in {folder}" in said
    assert "Traceback" not in said
    assert watcher.rows("SELECT count(*) FROM tool_uses WHERE attempts > 0") == [(0,)]
    assert watcher.run("context", "--project", "/home/dev/api").stdout.startswith(
        "<claude-mem-notes>\n# Memory of earlier sessions"
    )
    shutil.rmtree(folder)
    watcher.end()
    watcher.start()
    watcher.wait_for_rows("SELECT count(*) FROM conditions WHERE name = 'database'", [(0,)])
    assert facts(memory) == before


def test_what_a_model_has_worded_is_saved_and_not_paid_for_again(memory: Settings) -> None:
    before = facts(memory)
    requests = rows(memory.database, _REQUESTS)
    gone = memory.projects / "-home-dev-api" / f"{SESSIONS[0]}.jsonl"
    gone.unlink()  # as Claude Code does with old ones
    overwrite_page_of(b"Did number 7.", memory.database)
    events = rebuilt(memory)
    assert facts(memory) == before
    worded = agents(memory)
    assert len(worded) == 8  # by one each
    assert (SESSIONS[0], "scripted") in worded
    assert (SESSIONS[2], "extractive") in worded  # whose prompt was on that page
    assert len([agent for _, agent in worded if agent == "scripted"]) >= 4
    assert any("of it were saved" in event.text for event in events)
    assert len(requests) == 8
    assert rows(memory.database, _REQUESTS) == requests  # what is spent stays spent
    observed = rows(memory.database, "SELECT tool_use_ids FROM observations WHERE agent = 'scripted'")
    named = [tool_use_id for (ids,) in observed for tool_use_id in json.loads(ids)]
    assert len(named) == len(set(named))


_REQUESTS = "SELECT session_id, outcome, cost_usd, created_at_epoch FROM agent_requests WHERE agent = 'scripted'"


def test_an_active_session_stays_active(memory: Settings) -> None:
    active = "aaaaaaaa-0000-4000-8000-000000000000"
    path = memory.projects / "-home-dev-api" / f"{active}.jsonl"
    path.write_bytes(lines.turn(since_now(-5000), 99) + lines.prompt(since_now(-1000), "Go on"))
    overwrite_header(memory.database)
    rebuilt(memory)
    found = dict(rows(memory.database, "SELECT session_id, status FROM sdk_sessions"))
    assert found.pop(active) == "active"
    assert set(found.values()) == {"completed"}
    assert len(found) == 8
    assert rows(memory.database, f"SELECT prompt_number FROM session_summaries WHERE session_id = '{active}'") == [(1,)]


def test_a_rebuilding_that_is_cut_short_is_taken_up_again(memory: Settings, tmp_path: Path) -> None:
    before = facts(memory)
    overwrite_page_of(b"Did number 7.", memory.database)
    rebuild.put_aside(memory, "damaged", listener=lambda _event: None)
    shutil.copytree(memory.home, tmp_path / "aside")
    cut = 0
    for looks in range(1, 40, 3):
        left = iter(range(looks))
        rebuilt(memory, is_stopping=lambda left=left: next(left, None) is None)
        cut += rows(memory.database, "SELECT state FROM conditions") != [("rebuilt",)]
        rebuilt(memory)
        assert rows(memory.database, "SELECT state FROM conditions") == [("rebuilt",)]
        assert facts(memory) == before
        assert len(agents(memory)) == 8
        if cut < looks // 3:
            break  # it was not
        shutil.rmtree(memory.home)
        shutil.copytree(tmp_path / "aside", memory.home)
    assert cut >= 4


def test_a_database_that_is_damaged_again_and_again_is_left_to_its_owner(memory: Settings) -> None:
    for _ in range(rebuild.MOST_IN_A_DAY):
        overwrite_header(memory.database)
        rebuilt(memory)
    overwrite_header(memory.database)
    with pytest.raises(DamagedError, match="for the 4th time today") as caught:
        rebuilt(memory)
    assert "look at the disk" in caught.value.hint
    assert len(damaged(memory)) == rebuild.MOST_IN_A_DAY


def test_a_database_in_use_is_not_put_aside(memory: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has it open would go on in the log of the next one, and delete that when it closes."""
    monkeypatch.setattr(salvage, "IN_USE_WAIT", 0.1)
    reading = (
        "import sqlite3, sys; other = sqlite3.connect(sys.argv[1]); other.execute('SELECT * FROM flags')\n"
        "print('open', flush=True); input()"
    )
    command = [sys.executable, "-c", reading, str(memory.database)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(DatabaseBusyError, match="in use"):
            rebuild.put_aside(memory, "damaged", listener=lambda _event: None)
        assert memory.database.exists()
        other.communicate(b"\n")
    rebuild.put_aside(memory, "damaged", listener=lambda _event: None)
    assert not memory.database.exists()


def damage_held_still(settings: Settings, pid: int) -> bool:
    """Damage the database of a process that is held still, with nothing in the log that would hide it."""
    os.kill(pid, signal.SIGSTOP)
    try:
        with closing(sqlite3.connect(settings.database, timeout=0.1)) as connection:
            (is_busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if not is_busy:
            overwrite_header(settings.database)
        return not is_busy
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_a_running_watcher_meets_the_damage_and_goes_on(memory: Settings, watcher: WatcherProcess) -> None:
    before = facts(memory)
    watcher.start()
    wait_until(lambda: damage_held_still(memory, watcher.pid))
    wait_until(lambda: bool(damaged(memory)), otherwise=watcher.output.read_text)
    watcher.wait_for_rows("SELECT state FROM conditions", [("rebuilt",)])
    assert facts(memory) == before
    new = "bbbbbbbb-0000-4000-8000-000000000000"
    watcher.write(lines.turn(since_now(0), 50), session=new)
    watcher.wait_for_rows(f"SELECT source FROM session_summaries WHERE session_id = '{new}'", [("agent",)])
    assert watcher.is_alive()
    assert f"pid {watcher.pid}" in watcher.run("status").stdout
    assert watcher.end() == 0


@pytest.mark.parametrize("kind", ["no structure", "a structure that cannot be"])
def test_a_running_watcher_makes_a_damaged_index_anew(memory: Settings, watcher: WatcherProcess, kind: str) -> None:
    before = facts(memory)
    watcher.start()
    with closing(sqlite3.connect(memory.database, timeout=10)) as connection:
        connection.execute(DAMAGED_INDEX[kind])
        connection.commit()
    new = "bbbbbbbb-0000-4000-8000-000000000000"
    watcher.write(lines.turn(since_now(0), 50), session=new)
    watcher.wait_for_rows(f"SELECT source FROM session_summaries WHERE session_id = '{new}'", [("agent",)])
    assert "has a damaged search index" in watcher.output.read_text()
    assert watcher.is_alive()
    assert damaged(memory) == []
    assert all(set(then) <= set(now) for then, now in zip(before, facts(memory), strict=True))
    assert len(json.loads(watcher.run("search", "Please", "with", "care", "--json", "--limit", "99").stdout)) >= 24
    assert json.loads(watcher.run("search", "Do", "number", "50", "--json").stdout)


def test_a_watcher_in_the_background_mends_what_commands_complain_of(memory: Settings, watcher: WatcherProcess) -> None:
    before = facts(memory)
    assert watcher.run("watch", "--background").returncode == 0
    # At its second beat it has been through all that is there, and will not meet the damage by itself.
    newest = "SELECT heartbeat_at_epoch > started_at_epoch + 4000 FROM watchers ORDER BY id DESC LIMIT 1"
    watcher.wait_for_rows(newest, [(1,)])
    overwrite_page_of(b"Did number 7.", memory.database)
    try:
        mended = watcher.run("watch", "--background")
        assert "put aside in" in mended.stdout
        assert "started (pid " in mended.stdout
        watcher.wait_for_rows("SELECT state FROM conditions", [("rebuilt",)])
        assert facts(memory) == before
        assert "already running" in watcher.run("watch", "--background").stdout
    finally:
        watcher.run("watch", "--stop")


def test_garbage_in_the_log_is_only_a_step_back(watcher: WatcherProcess) -> None:
    watcher.projects.mkdir(parents=True)
    watcher.start()
    for number in range(5):
        watcher.write(lines.turn(since_now(number * 1000), number, tools=5), session=SESSIONS[0])
        watcher.wait_for_rows("SELECT count(*) FROM session_summaries WHERE source = 'agent'", [(number + 1,)])
    watcher.kill()
    log = watcher.memory / "data" / "claude-mem.db-wal"
    half = log.stat().st_size // 2
    with log.open("r+b") as file:
        file.seek(half)
        file.write(os.urandom(half))
    watcher.start()
    watcher.wait_for_rows("SELECT count(*) FROM session_summaries WHERE source = 'agent'", [(5,)])
    watcher.wait_for_rows("SELECT count(*), count(DISTINCT tool_use_id) FROM tool_uses", [(25, 25)])
    assert not list((watcher.memory / "data").glob("damaged-*"))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can limit another process")
def test_a_disk_that_is_full_is_only_a_delay(watcher: WatcherProcess) -> None:
    import resource

    watcher.projects.mkdir(parents=True)
    watcher.start()
    watcher.write(lines.turn(since_now(0), 1), session=SESSIONS[0])
    watcher.wait_for_rows("SELECT count(*) FROM session_summaries", [(1,)])
    resource.prlimit(watcher.pid, resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
    watcher.write(lines.turn(since_now(100), 2, tools=30), session=SESSIONS[0])
    wait_until(lambda: "trying again" in watcher.output.read_text(), otherwise=watcher.output.read_text)
    assert watcher.rows("SELECT count(*) FROM user_prompts") == [(1,)]
    assert watcher.is_alive()
    resource.prlimit(watcher.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    watcher.wait_for_rows("SELECT count(*) FROM session_summaries WHERE source = 'agent'", [(2,)])
    watcher.wait_for_rows("SELECT count(*), count(DISTINCT tool_use_id) FROM tool_uses", [(31, 31)])
    watcher.wait_for_rows("SELECT count(*) FROM observations GROUP BY content_hash HAVING count(*) > 1", [])
    assert watcher.output.read_text().count("trying again") == 1
    assert watcher.end() == 0


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False) if shutil.which("mount") else None
    if done is None or done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip() if done else 'there is no mount'}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill(path: Path) -> None:
    """Leave no byte free where a file is."""
    with path.open("wb", buffering=0) as file:
        for size in (65_536, 4096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a file system as Linux does")
def test_a_full_file_system_is_only_a_delay_log_and_all(tmp_path: Path, watcher: WatcherProcess) -> None:
    with small_disk(watcher.memory, "2M"):
        watcher.output = watcher.memory / "watch.out"
        watcher.projects.mkdir(parents=True)
        try:
            watcher.start()
            ballast = watcher.memory / "ballast"
            fill(ballast)
            watcher.write(lines.turn(since_now(0), 1, tools=200), session=SESSIONS[0])
            status = watcher.run("status")
            assert "Traceback" not in status.stderr
            time.sleep(2.5)  # for it to try, more than once: what it says has no room either
            assert watcher.is_alive()
            assert watcher.rows("SELECT count(*) FROM user_prompts") == [(0,)]
            ballast.unlink()
            watcher.wait_for_rows("SELECT count(*) FROM session_summaries WHERE source = 'agent'", [(1,)])
            watcher.wait_for_rows("SELECT count(*), count(DISTINCT tool_use_id) FROM tool_uses", [(200, 200)])
            wait_until(lambda: "trying again" in watcher.output.read_text(), otherwise=watcher.output.read_text)
            fill(ballast)
            assert watcher.end() == 0
        finally:
            watcher.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /dev/full")
def test_a_log_that_takes_nothing_is_no_reason_to_end(watcher: WatcherProcess) -> None:
    watcher.environment["CLAUDE_MEM_WATCH_EXIT_AFTER"] = "0.2"
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "watcher", "watch", "--until-idle"]
        subprocess.run(command, env=watcher.environment, stdout=full, cwd=watcher.home, timeout=60, check=False)
    assert [reason for _, _, reason in watcher.runs()] == ["idle"]


def unprivileged() -> list[str]:
    """Return what to put before a command so that permissions hold for it."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("root may write everywhere, and there is no setpriv to take that away")
    return UNPRIVILEGED


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_a_folder_made_read_only_is_only_a_delay(watcher: WatcherProcess) -> None:
    watcher.prefix = unprivileged()
    watcher.projects.mkdir(parents=True)
    watcher.start()
    data = watcher.memory / "data"
    with read_only(data):
        watcher.write(lines.turn(since_now(0), 1), session=SESSIONS[0])
        # A connection that was open before goes on writing; one that is opened now would never write again.
        done = re.compile("trying again|readonly|observed")
        wait_until(lambda: done.search(watcher.output.read_text()), otherwise=watcher.output.read_text)
        assert watcher.is_alive()
    watcher.write(lines.turn(since_now(5_000), 2), session=SESSIONS[0])
    watcher.wait_for_rows("SELECT count(*) FROM session_summaries WHERE source = 'agent'", [(2,)])
    watcher.wait_for_rows("SELECT tool_use_id FROM tool_uses ORDER BY id", [("tool-1-0",), ("tool-2-0",)])


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Let nothing be written below a folder."""
    files = list(folder.iterdir())
    for path in files:
        path.chmod(0o400)
    folder.chmod(0o500)
    try:
        yield
    finally:
        folder.chmod(0o700)
        for path in files:
            path.chmod(0o600)


# Runs commands one after the other in one process, and tells how each ended.
COMMANDS = """
import contextlib, io, json, sys
from watcher import cli
from watcher.memory import database
database.BUSY_TIMEOUT = 0.1
told = {}
for line in sys.argv[1:]:
    sys.argv = ["claude-mem", *line.split()]
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            cli.main()
        except SystemExit as end:
            code = end.code
        except BaseException as error:
            code = repr(error)
    told[line] = [code, said.getvalue()]
print(json.dumps(told))
"""
READING = ["status", "context --project /home/dev/api"]
INSTALL = "install"  # writes only where there is something to bring up to date
WRITING = ["cleanup-sessions", f"replay {FIXTURES / 'ordinary'}", "watch"]


def run_commands(
    settings: Settings, *commands: str, prefix: tuple[str, ...] = (), before: str = ""
) -> dict[str, tuple[object, str]]:
    """Run commands, `before` them some code; return how each ended and what it complained of."""
    done = subprocess.run(
        [*prefix, sys.executable, "-c", before + COMMANDS, *commands],
        env={"PATH": os.environ["PATH"], "HOME": str(settings.home.parent), "CLAUDE_MEM_AGENT": "extractive"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return {command: (code, said) for command, (code, said) in json.loads(done.stdout).items()}


def is_told(said: str, what: str, hint: str) -> bool:
    """Say whether an error is one line that says what is wrong, and one that says what to do."""
    return re.fullmatch(rf"claude-mem: [^\n]*{what}[^\n]*\nTry: [^\n]*{hint}[^\n]*\n", said) is not None


def test_commands_say_that_the_database_is_locked(memory: Settings) -> None:
    with closing(sqlite3.connect(memory.database, isolation_level=None)) as holder:
        holder.execute("UPDATE sdk_sessions SET status = 'active'")  # something for all of them to do
        holder.execute("BEGIN IMMEDIATE")
        told = run_commands(memory, *READING, *WRITING, INSTALL)
    assert {told[command][0] for command in (*READING, INSTALL)} == {0}
    for command in WRITING:
        assert told[command][0] == 1, told[command]
        assert is_told(told[command][1], "locked by another process", "again in a moment"), told[command]


def test_commands_say_that_all_of_the_database_is_locked(memory: Settings) -> None:
    with closing(sqlite3.connect(memory.database, isolation_level=None)) as holder:
        holder.execute("PRAGMA locking_mode = EXCLUSIVE")
        holder.execute("BEGIN EXCLUSIVE")
        told = run_commands(memory, *READING, *WRITING, INSTALL)
    for code, said in told.values():
        assert code == 1
        assert is_told(said, "locked by another process", "again in a moment"), said


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_commands_say_that_the_database_is_damaged(memory: Settings, damage: Callable[[Path], None]) -> None:
    damage(memory.database)
    told = run_commands(memory, *READING, *WRITING[:2])
    seen = [said for code, said in told.values() if code != 0]
    assert seen or damage is DAMAGES["page"]  # which none of them may have to read
    for said in seen:
        assert is_told(said, "is damaged or no database", "claude-mem watch --background"), said


def test_commands_say_that_the_database_is_newer(memory: Settings) -> None:
    with closing(sqlite3.connect(memory.database)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'ffff'")
        connection.commit()
    for command, (code, said) in run_commands(memory, *READING, *WRITING, INSTALL, "watch --background").items():
        assert code == 1, command
        assert is_told(said, "written by a newer claude-mem", "upgrade claude-mem"), command


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_commands_say_that_nothing_can_be_written(memory: Settings) -> None:
    with read_only(memory.database.parent):
        told = run_commands(memory, *READING, *WRITING, INSTALL, prefix=tuple(unprivileged()))
    assert {told.pop(command)[0] for command in READING} == {0}
    for command, (code, said) in told.items():
        assert code == 1, command
        assert is_told(said, "cannot be (opened|written)", r"(permissions|writable)"), said


# As on network drives without a lock service: the calls refuse, or do nothing.
NO_LOCKS = "import errno, fcntl, os\ndef flock(*_):\n    {}\nfcntl.flock = flock\n"
REFUSALS = [f"raise OSError(errno.{error}, 'refused')" for error in ("ENOLCK", "ENOSYS", "EOPNOTSUPP")]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows locks in another way")
@pytest.mark.parametrize("does", [*REFUSALS, "return None"], ids=["ENOLCK", "ENOSYS", "EOPNOTSUPP", "nothing"])
def test_a_watcher_says_that_locks_do_not_work(memory: Settings, does: str) -> None:
    told = run_commands(memory, "watch", "watch --until-idle", "watch --background", before=NO_LOCKS.format(does))
    for code, said in told.values():
        assert code == 1
        assert is_told(said, "locks do not work on", "CLAUDE_MEM_HOME at a folder on a local disk"), said
    assert (memory.database.parent / "locks.failed").exists()
    presence.check_locks(memory)
    assert not (memory.database.parent / "locks.failed").exists()


def test_a_database_is_not_put_aside_on_one_word(
    memory: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    served: list[str] = []

    def serve(*_args: object, **_options: object) -> None:
        served.append("")
        if len(served) == 1:
            raise DamagedError("it seems to be damaged")

    monkeypatch.setattr(watch, "_serve", serve)
    watch._run(memory, until_idle=True)
    assert len(served) == 2
    assert "it is sound: going on" in capsys.readouterr().out
    assert damaged(memory) == []


def test_what_was_left_beside_a_database_put_aside_goes_after_it(memory: Settings) -> None:
    """A kill between moving the file and moving its log: without the log the file would lack what was written last."""
    with closing(sqlite3.connect(memory.database)) as connection:
        connection.execute("UPDATE session_summaries SET learned = 'in the log alone'")
        connection.commit()
        log = memory.database.with_name(f"{memory.database.name}-wal")
        kept = {path.name: path.read_bytes() for path in (memory.database, log)}
    folder = memory.database.parent / "damaged-20260101T000000Z"
    folder.mkdir()
    (folder / "rebuilding.txt").write_text("damaged\n")
    memory.database.unlink()
    (folder / memory.database.name).write_bytes(kept[memory.database.name])
    log.write_bytes(kept[log.name])
    rebuild.create(memory)
    assert (folder / log.name).read_bytes() == kept[log.name]
    with closing(sqlite3.connect(folder / memory.database.name)) as connection:
        assert {learned for (learned,) in connection.execute("SELECT learned FROM session_summaries")} == {
            "in the log alone"
        }
