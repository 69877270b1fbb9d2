"""The diagnosis: each link is broken in turn, and its check says so, with what to type next."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.claude_cli import clean_environment, run_cli
from tests.service.recorder import Recorder
from tests.transcript import lines
from watcher import __version__, resources, system
from watcher.memory import conditions
from watcher.memory.database import Database
from watcher.memory.models import FlagKind
from watcher.service import events, install
from watcher.service.diagnosis import chain, places, transcripts
from watcher.service.diagnosis.finding import Case, Finding, State
from watcher.settings import Settings

OK, WARNING, WRONG = State.OK, State.WARNING, State.WRONG
HOUR = 3_600_000  # milliseconds
posix = pytest.mark.skipif(sys.platform == "win32", reason="needs the permissions and scripts of POSIX")

Look = Callable[..., list[Finding]]


@pytest.fixture
def environ(settings: Settings) -> dict[str, str]:
    return {"CLAUDE_MEM_HOME": str(settings.home), "CLAUDE_MEM_AGENT": "extractive", "PATH": os.environ["PATH"]}


@pytest.fixture
def look(environ: dict[str, str]) -> Look:
    """Return what the check of one link finds."""

    def at(link: str, **variables: str) -> list[Finding]:
        steps = chain.steps(Case(environ | variables))
        return [finding for name, check in steps if name == link for finding in check()]

    return at


@pytest.fixture
def installed(settings: Settings) -> Settings:
    """All in place, as `claude-mem install` leaves it, and Claude Code used once."""
    settings.projects.mkdir(parents=True)
    install.install(settings)
    return settings


@pytest.fixture
def elsewhere(tmp_path: Path, settings: Settings) -> Iterator[Path]:
    """Another installation, whose hooks are those in settings.json; it has no Python of its own."""
    root = tmp_path / "elsewhere"
    for name in ("hooks", ".claude-plugin"):
        shutil.copytree(resources.plugin_root() / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    install.install(settings)
    path = settings.claude_dir / "settings.json"
    path.write_text(path.read_text().replace(str(resources.hooks()), str(root / "hooks")))
    return root


def everything(environ: dict[str, str]) -> list[Finding]:
    return [finding for _, check in chain.steps(Case(environ)) for finding in check()]


def states(findings: list[Finding]) -> list[State]:
    return [finding.state for finding in findings]


def execute(settings: Settings, sql: str, *values: Any) -> None:
    with closing(sqlite3.connect(settings.database)) as connection:
        connection.execute(sql, values)
        connection.commit()


def watcher_row(settings: Settings, *, silent: int = 0, version: str = __version__) -> None:
    """Write down that this very process is a watcher, last heard `silent` milliseconds ago."""
    now = events.now()
    row = (os.getpid(), version, now, now - silent)
    into = "INSERT INTO watchers (pid, version, started_at_epoch, heartbeat_at_epoch) VALUES (?, ?, ?, ?)"
    execute(settings, into, *row)


@contextmanager
def serving(settings: Settings, **row: Any) -> Iterator[None]:
    """Have this very process look like the watcher."""
    with system.lock(settings.lock):
        watcher_row(settings, **row)
        yield


def edit_settings(settings: Settings, change: Callable[[dict[str, Any]], None]) -> None:
    path = settings.claude_dir / "settings.json"
    value = json.loads(path.read_text()) if path.exists() else {}
    change(value)
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value))


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)
    return path


# The whole.


def test_where_all_is_in_place_all_is_well(installed: Settings, environ: dict[str, str]) -> None:
    found = everything(environ)
    assert [finding for finding in found if finding.state is not OK] == []
    links = [finding.link for finding in found]
    assert links[:3] == ["settings", "home", "disk"]
    assert links.index("hooks") < links.index("launcher") < links.index("watcher") < links.index("database")
    assert links[-1] == "agent"


def test_where_there_is_nothing_it_says_what_to_type(settings: Settings, environ: dict[str, str]) -> None:
    found = {finding.link: finding for finding in everything(environ)}
    assert (found["home"].state, found["home"].hint) == (WRONG, "claude-mem install")
    assert (found["hooks"].state, found["hooks"].hint) == (WRONG, "claude-mem install")
    assert (found["database"].state, found["database"].hint) == (WRONG, "claude-mem install")
    assert found["projects"].state is WARNING
    assert not {"schema", "flags", "transcripts", "conditions"} & set(found)


def test_it_changes_nothing(installed: Settings, elsewhere: Path, environ: dict[str, str], tmp_path: Path) -> None:
    def listing() -> dict[str, bytes | None]:
        # A reader of a database with a write-ahead log makes the log's files.
        found = [path for path in tmp_path.rglob("*") if not path.name.endswith(("-wal", "-shm"))]
        return {str(path): path.read_bytes() if path.is_file() else None for path in found}

    before = listing()
    assert any(finding.link == "python3" and finding.state is OK for finding in everything(environ))
    assert listing() == before


def test_a_check_that_fails_is_a_finding(settings: Settings) -> None:
    def fails(case: Case) -> list[Finding]:
        raise RuntimeError("boom")

    (finding,) = chain.found("somewhere", fails, Case({}))
    assert (finding.link, finding.state) == ("somewhere", WRONG)
    assert "RuntimeError('boom')" in finding.text


# Places.


def test_settings_that_cannot_be_meant(installed: Settings, environ: dict[str, str]) -> None:
    installed.config.write_text("[agent]\nname = 1")
    found = {finding.link: finding for finding in everything(environ)}
    assert found["settings"].state is WRONG
    assert "a text, not 1" in found["settings"].text
    assert str(installed.database) in found["database"].text  # the rest is looked at all the same


@posix
def test_a_home_that_others_can_look_into(installed: Settings, look: Look) -> None:
    installed.database.chmod(0o644)
    (finding,) = look("home")
    assert finding.state is WARNING
    assert str(installed.database) in finding.text
    assert finding.hint.startswith("chmod -R go=")


def test_a_full_disk(installed: Settings, look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "LITTLE", 1 << 62)
    assert states(look("disk")) == [WARNING]
    monkeypatch.setattr(places, "TOO_LITTLE", 1 << 62)
    assert states(look("disk")) == [WRONG]


@pytest.mark.skipif(system.watch_limit() is None, reason="this system has no such limit")
def test_more_folders_than_may_be_watched(installed: Settings, look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "watch_limit", lambda: 1)
    (finding,) = look("watching")
    assert finding.state is WARNING
    assert "fs.inotify.max_user_watches" in finding.hint


def test_hooks_that_are_given_another_home(installed: Settings, look: Look) -> None:
    edit_settings(installed, lambda value: value.update(env={"CLAUDE_MEM_HOME": "/elsewhere"}))
    (finding,) = look("variables")
    assert finding.state is WARNING
    assert finding.hint == "CLAUDE_MEM_HOME=/elsewhere claude-mem doctor"
    edit_settings(installed, lambda value: value.update(env={"CLAUDE_MEM_HOME": str(installed.home)}))
    assert states(look("variables")) == [OK]


# Hooks.


@pytest.mark.parametrize(
    ("change", "state", "said"),
    [
        (lambda value: value["hooks"].pop("Stop"), WRONG, "lacks the hook of Stop"),
        (lambda value: value.update(disableAllHooks=True), WRONG, "disableAllHooks"),
        (lambda value: value["hooks"]["Stop"][0]["hooks"][0].update(timeout=1), WARNING, "another installation"),
    ],
    ids=["one is missing", "switched off", "not as this version writes them"],
)
def test_hooks_that_are_not_as_they_should_be(
    installed: Settings, look: Look, change: Callable[[dict[str, Any]], None], state: State, said: str
) -> None:
    edit_settings(installed, change)
    finding = look("hooks")[0]
    assert finding.state is state
    assert said in finding.text


def test_hooks_of_another_version(elsewhere: Path, look: Look) -> None:
    (finding,) = look("hooks")
    assert (finding.state, finding.hint) == (WARNING, "claude-mem install")
    assert str(elsewhere) in finding.text
    manifest = elsewhere / ".claude-plugin" / "plugin.json"
    manifest.write_text(manifest.read_text().replace(__version__, "0.0.9"))
    assert f"of claude-mem 0.0.9, this is {__version__}" in look("hooks")[0].text
    shutil.rmtree(elsewhere)
    (finding,) = look("hooks")
    assert finding.state is WRONG
    assert "is not there" in finding.text


def test_no_hooks_where_something_else_does_their_work(settings: Settings, database: Database, look: Look) -> None:
    assert states(look("hooks")) == [WRONG]
    with serving(settings):
        assert states(look("hooks")) == [WARNING]
    execute(settings, "DELETE FROM watchers")
    into = "INSERT INTO deliveries (session_id, source, delivered_at_epoch) VALUES ('s', 'startup', ?)"
    execute(settings, into, events.now() - HOUR)
    (finding,) = look("hooks")
    assert finding.state is WARNING
    assert "1 h ago (claude --plugin-dir)" in finding.text


@pytest.mark.cli
def test_the_plugin_as_claude_code_installs_it(elsewhere: Path, settings: Settings, tmp_path: Path, look: Look) -> None:
    install.uninstall(settings)
    world = clean_environment(tmp_path, "http://127.0.0.1:9")

    def plugin(*command: str) -> None:
        done = run_cli("plugin", *command, environment=world, cwd=tmp_path)
        assert done.code == 0, done

    plugin("marketplace", "add", str(elsewhere))
    plugin("install", "mem@claude-mem")
    (finding,) = look("hooks")
    assert finding.state is OK, finding
    assert "the plugin mem@claude-mem, of this version" in finding.text
    assert str(elsewhere) in finding.text
    assert states(look("python3")) == [OK]
    plugin("disable", "mem@claude-mem")
    (finding,) = look("hooks")
    assert (finding.state, finding.hint) == (WRONG, "claude plugin enable mem@claude-mem")
    plugin("enable", "mem@claude-mem")
    manifest = elsewhere / ".claude-plugin" / "plugin.json"
    manifest.write_text(manifest.read_text().replace(__version__, "0.0.9"))
    assert states(look("hooks")) == [WARNING]
    (elsewhere / "hooks" / "stop.py").unlink()
    assert states(look("hooks")) == [WRONG]


@posix
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("echo 3.8.18 3.31.0", "the hooks need 3.9 or newer"),
        ("echo 'ModuleNotFoundError: sqlite3' >&2; exit 1", "cannot run the hooks: ModuleNotFoundError: sqlite3"),
        ('case "$4" in *.py) exit 3;; esac; echo 3.9.0 3.31.0', "session_start.py: exit code 3"),
        ("sleep 60", "no answer within"),
    ],
    ids=["too old", "without SQLite", "cannot run them", "hangs"],
)
def test_a_python_that_cannot_run_the_hooks(
    installed: Settings, look: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    monkeypatch.setattr("watcher.service.diagnosis.hooks.PROBE_TIMEOUT", 0.5)
    python = script(tmp_path / "python3", text)
    path = installed.claude_dir / "settings.json"
    path.write_text(path.read_text().replace(json.dumps(sys.executable), json.dumps(str(python))))
    (finding,) = look("python3")
    assert finding.state is WRONG
    assert said in finding.text


def test_a_python_that_is_gone(installed: Settings, look: Look) -> None:
    path = installed.claude_dir / "settings.json"
    path.write_text(path.read_text().replace(json.dumps(sys.executable), json.dumps("/gone/python3")))
    (finding,) = look("python3")
    assert (finding.state, finding.hint) == (WRONG, "claude-mem install")
    assert "/gone/python3" in finding.text


def test_trouble_of_a_hook_is_told_for_a_day(installed: Settings, look: Look) -> None:
    log = installed.logs / "hooks.log"
    log.parent.mkdir()
    log.write_text("2001-01-01T00:00:00Z Stop OSError: disk I/O error\n")
    assert states(look("hook log")) == [OK]
    recent = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    with log.open("a") as file:
        file.write(f"{recent} Stop OSError: cannot open it\n")
    (finding,) = look("hook log")
    assert finding.state is WARNING
    assert "Stop OSError: cannot open it" in finding.text


# The watcher.


@posix
def test_what_hooks_start_the_watcher_with(elsewhere: Path, settings: Settings, look: Look, tmp_path: Path) -> None:
    bare = str(tmp_path)  # a PATH on which there is no claude-mem
    assert states(look("launcher", PATH=bare)) == [OK]
    other = script(tmp_path / "python", "echo claude-mem 0.0.9")
    settings.launcher.write_text(f"{other}\n")
    assert states(look("launcher", PATH=bare)) == [WARNING]
    script(other, "echo 'No module named watcher' >&2; exit 1")
    (finding,) = look("launcher", PATH=bare)
    assert finding.state is WRONG
    assert "No module named watcher" in finding.text
    other.unlink()
    (finding,) = look("launcher", PATH=bare)
    assert (finding.state, finding.hint) == (WRONG, "claude-mem install")
    script(tmp_path / "claude-mem", f"echo claude-mem {__version__}")
    assert states(look("launcher", PATH=bare)) == [OK]


def test_a_watcher_alive_stalled_dead_and_none(installed: Settings, look: Look) -> None:
    assert [(finding.state, finding.text) for finding in look("watcher")] == [(OK, "none runs, and none is needed")]
    lock = system.lock(installed.lock)
    with lock:
        assert "a watcher may be starting" in look("watcher")[0].text
        watcher_row(installed)
        assert look("watcher")[0].text.startswith(f"alive (pid {os.getpid()}")
        execute(installed, "UPDATE watchers SET heartbeat_at_epoch = heartbeat_at_epoch - 61000")
        (finding,) = look("watcher")
        assert finding.state is WRONG
        assert "stalled" in finding.text
        assert "1 min ago" in finding.text
    # What runs under its pid now began after it.
    execute(installed, "UPDATE watchers SET started_at_epoch = 1000")
    (finding,) = look("watcher")
    assert finding.state is WARNING
    assert "dead" in finding.text
    execute(installed, "UPDATE watchers SET stopped_at_epoch = 2000, stop_reason = 'idle'")
    assert states(look("watcher")) == [OK]
    execute(installed, "UPDATE watchers SET stop_reason = ?", "crashed: ValueError('x')")
    (finding,) = look("watcher")
    assert finding.state is WARNING
    assert "ValueError('x')" in finding.text


def test_a_watcher_of_another_version(installed: Settings, look: Look) -> None:
    with serving(installed, version="0.0.9"):
        assert states(look("watcher")) == [OK, WARNING]
        assert "0.0.9" in look("watcher")[1].text


def test_the_lock(installed: Settings, look: Look) -> None:
    assert look("lock")[0].text == "no watcher has run yet"
    lock = system.lock(installed.lock)
    with lock:
        assert look("lock")[0].text.endswith("is held")
    assert look("lock")[0].text.endswith("is free")
    watcher_row(installed, silent=120_000)
    assert states(look("lock")) == [OK]
    watcher_row(installed)
    (finding,) = look("lock")
    assert finding.state is WRONG
    assert "locks do not work" in finding.text
    installed.lock.unlink()
    (finding,) = look("lock")
    assert finding.state is WRONG
    assert "was deleted" in finding.text


# The memory.


def test_a_damaged_database_is_told_once(installed: Settings, environ: dict[str, str]) -> None:
    with closing(sqlite3.connect(installed.database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'contexts'").fetchone()
    raw = bytearray(installed.database.read_bytes())
    raw[4096 * (page - 1) : 4096 * page] = b"A" * 4096
    installed.database.write_bytes(raw)
    found = everything(environ)
    (finding,) = [finding for finding in found if finding.state is WRONG]
    assert finding.link == "database"
    assert "is damaged" in finding.text
    assert "rebuilt from the transcripts" in finding.hint


def test_what_is_no_database_is_told_once(installed: Settings, environ: dict[str, str]) -> None:
    installed.database.write_bytes(b"something else entirely" * 100)
    found = everything(environ)
    assert [finding.link for finding in found if finding.state is WRONG] == ["database"]


def test_a_database_that_another_process_keeps_for_itself(
    installed: Settings, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("watcher.memory.lookup.SHORT_TIMEOUT", 0.05)
    with closing(sqlite3.connect(installed.database)) as holder:
        holder.execute("PRAGMA locking_mode = EXCLUSIVE")
        holder.execute("BEGIN EXCLUSIVE")
        holder.execute("DELETE FROM flags")
        (finding,) = [finding for finding in everything(environ) if finding.state is WRONG]
    assert finding.link == "database"
    assert "locked" in finding.text


def test_a_database_without_a_write_ahead_log(installed: Settings, look: Look) -> None:
    execute(installed, "PRAGMA journal_mode = DELETE")
    assert states(look("database")) == [WARNING]


def test_a_database_too_large_to_look_through(installed: Settings, look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("watcher.service.diagnosis.memory.CHECK_TIME", -1.0)
    monkeypatch.setattr("watcher.memory.health._STEPS", 1)
    (finding,) = look("database")
    assert finding.state is OK
    assert "too large" in finding.text


@pytest.mark.parametrize(
    ("sql", "state", "said"),
    [
        ("UPDATE alembic_version SET version_num = '0001'", WARNING, "older"),
        ("UPDATE alembic_version SET version_num = 'ffff'", WRONG, "newer"),
        ("DROP TABLE alembic_version", WRONG, "no tables"),
    ],
)
def test_the_schema_of_another_version(installed: Settings, look: Look, sql: str, state: State, said: str) -> None:
    execute(installed, sql)
    (finding,) = look("schema")
    assert finding.state is state
    assert said in finding.text
    assert look("flags") == []


def test_flags(installed: Settings, look: Look) -> None:
    raised = events.now() - 2 * 60_000
    into = "INSERT INTO flags (session_id, kind, event, raised_at_epoch, lowered_at_epoch, outcome) VALUES "
    execute(installed, into + "('a', 'finalize', '{}', ?, ?, 'summarised')", raised - 9, raised + 191)
    (finding,) = look("flags")
    assert finding.state is OK
    assert "handled in 0.2 s: summarised" in finding.text
    execute(installed, into + "('a', 'cleanup', '{}', ?, NULL, NULL)", raised)
    (finding,) = look("flags")
    assert finding.state is WARNING  # none runs that could lower it
    assert "1 flag up, the oldest for 2 min" in finding.text
    assert "1 flag up" in look("watcher")[0].text
    with serving(installed):
        assert states(look("flags")) == [WRONG]
    execute(installed, "UPDATE flags SET raised_at_epoch = ? WHERE lowered_at_epoch IS NULL", events.now())
    assert states(look("flags")) == [OK]


def test_flags_that_hooks_had_to_set_aside(installed: Settings, look: Look) -> None:
    assert states(look("set aside")) == [OK]
    installed.flags_aside.mkdir()
    flag = installed.flags_aside / "1.json"
    flag.write_text("{}")
    assert states(look("set aside")) == [WARNING]
    with serving(installed):
        assert states(look("set aside")) == [WARNING]  # it was just put there
        os.utime(flag, (1000, 1000))
        assert states(look("set aside")) == [WRONG]


def test_transcripts(recorder: Recorder, settings: Settings, look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcripts, "SETTLED", -HOUR)
    recorder.write(lines.prompt(0, "First"))
    recorder.life.take_in(recorder.transcript)
    (finding,) = look("transcripts")
    assert finding.state is OK
    assert "1 transcript in" in finding.text
    assert "1 taken in wholly" in finding.text
    recorder.write(b'{"type":"user","torn')
    assert states(look("transcripts")) == [OK]
    recorder.write(b'"}\n')
    (finding,) = look("transcripts")
    assert finding.state is WARNING
    assert f"1 behind: -home-dev-api/{recorder.transcript.name} by 23 bytes" in finding.text
    with serving(settings):
        assert states(look("transcripts")) == [WRONG]
    monkeypatch.setattr(transcripts, "SETTLED", HOUR)  # it is being written
    (finding,) = look("transcripts")
    assert finding.state is OK
    assert "1 being written" in finding.text


def test_transcripts_from_before_the_memory(recorder: Recorder, look: Look) -> None:
    recorder.write(lines.prompt(0, "Long ago"))
    os.utime(recorder.transcript, (1000, 1000))
    (finding,) = look("transcripts")
    assert finding.state is OK
    assert "1 older than the memory" in finding.text


def test_broken_lines_are_named(recorder: Recorder, look: Look) -> None:
    recorder.write(lines.prompt(0, "First"), b"no entry\n")
    recorder.life.take_in(recorder.transcript)
    (finding,) = look("broken lines")
    assert finding.state is WARNING
    assert f"{recorder.transcript} at byte {len(lines.prompt(0, 'First'))}: not JSON" in finding.text


def test_what_was_given_up_or_waits_for_long(recorder: Recorder, settings: Settings, look: Look) -> None:
    recorder.write(
        lines.prompt(0, "First"), lines.tool_use(1000, "a"), lines.tool_result(2000, "a"), lines.words(3000, "Done.")
    )
    recorder.life.take_in(recorder.transcript)
    recorder.flag(FlagKind.FINALIZE, 4000, last_assistant_message="Done.")
    recorder.life.handle_flags()
    assert states(look("tool uses")) == [WARNING]  # it was begun long ago, and no watcher runs
    execute(settings, "UPDATE tool_uses SET created_at_epoch = ?", events.now())
    assert states(look("tool uses") + look("summaries")) == [OK, OK]
    execute(settings, "UPDATE tool_uses SET status = 'failed'")
    execute(settings, "UPDATE session_summaries SET attempts = 5")
    (finding,) = look("tool uses")
    assert (finding.state, finding.hint) == (WRONG, "claude-mem retry")
    (finding,) = look("summaries")
    assert (finding.state, finding.hint) == (WARNING, "claude-mem retry")
    execute(settings, "UPDATE tool_uses SET input = NULL")
    (finding,) = look("tool uses")
    assert (finding.state, finding.hint) == (WARNING, "")


def test_conditions(installed: Settings, look: Look) -> None:
    now = events.now()
    database = Database(installed.database)
    with database.write() as connection:
        conditions.put(connection, conditions.AGENT, "login", "not logged in", hint="type /login", now=now - HOUR)
        conditions.put_off(connection, conditions.AGENT, until=now + HOUR + 30_000)
        conditions.put(connection, conditions.WATCHING, "polling", "too many folders", now=now)
    database.close()
    agent, _ = look("conditions")
    assert (agent.state, agent.hint) == (WARNING, "type /login")
    assert agent.text.endswith("(as the last watcher saw it)")
    with serving(installed):
        agent, watching = look("conditions")
    assert (agent.state, watching.state) == (WRONG, WARNING)
    assert agent.text == "agent: login since 1 h: not logged in; next try in 1 h"


@pytest.mark.parametrize("state", ["spent", "catching up"])
def test_a_spent_budget_is_nothing_wrong_and_what_waits_for_it_is_not_late(
    recorder: Recorder, settings: Settings, look: Look, state: str
) -> None:
    recorder.write(lines.prompt(0, "First"), lines.tool_use(1000, "a"), lines.tool_result(2000, "a"))
    recorder.life.take_in(recorder.transcript)
    with serving(settings):
        assert states(look("tool uses")) == [WRONG]  # for more than a day
    with recorder.database.write() as connection:
        text = "the day's 500 requests are made"
        conditions.put(connection, conditions.BUDGET, state, text, hint="claude-mem usage", now=events.now())
    (finding,) = look("conditions")
    assert (finding.state, finding.hint) == (OK, "claude-mem usage")
    assert "as the last watcher saw it" in finding.text
    with serving(settings):
        (finding,) = look("conditions")
        assert (finding.state, finding.hint) == (OK, "claude-mem usage")
        assert text in finding.text
        (finding,) = look("tool uses")
        assert (finding.state, finding.hint) == (WARNING, "claude-mem usage")


# The agent.


@posix
@pytest.mark.parametrize(
    ("version", "login", "expected"),
    [
        ("1.0.0 (Claude Code)", "", [("agent", WRONG)]),
        ("babble", "", [("agent", WRONG)]),
        ("99.0.0", '{"loggedIn": false, "authMethod": "none"}', [("agent", OK), ("login", WRONG)]),
        ("99.0.0", '{"loggedIn": true, "authMethod": "api_key"}', [("agent", OK), ("login", OK)]),
        ("99.0.0", "babble", [("agent", OK), ("login", WARNING)]),
    ],
    ids=["too old", "says no version", "not logged in", "logged in", "says no login"],
)
def test_the_agents_cli(
    installed: Settings, look: Look, tmp_path: Path, version: str, login: str, expected: list[tuple[str, State]]
) -> None:
    path = script(tmp_path / "claude", f"case \"$*\" in --version) echo '{version}';; *) echo '{login}';; esac")
    variables = {"CLAUDE_MEM_AGENT": "claude", "CLAUDE_MEM_AGENT_CLI_PATH": str(path)}
    found = look("agent", **variables)
    assert [(finding.link, finding.state) for finding in found] == expected


def test_an_agent_without_a_cli(installed: Settings, look: Look) -> None:
    (finding,) = look("agent", CLAUDE_MEM_AGENT="claude", CLAUDE_MEM_AGENT_CLI_PATH="/gone/claude")
    assert finding.state is WRONG
    assert "/gone/claude" in finding.text
    assert "install Claude Code" in finding.hint


def test_transcripts_that_are_left_out_are_not_behind(
    recorder: Recorder, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcripts, "SETTLED", -HOUR)
    recorder.write(lines.prompt(0, "First").replace(b'"cwd"', b'"entrypoint": "sdk-py", "cwd"'))
    recorder.life.take_in(recorder.transcript)
    (finding,) = look("transcripts")
    assert finding.state is OK
    assert "0 taken in wholly, 1 left out" in finding.text
