"""SessionStart prints what the sessions before did, once, and as late as the last of them needs."""

from __future__ import annotations

import ast
import re
import sqlite3
import subprocess
import time
from contextlib import closing

import pytest

from tests.hooks.conftest import PROJECT, QUIET, TIMEOUT, World, epoch, payload
from tests.world import ROOT
from watcher.memory import recalled
from watcher.privacy import plain
from watcher.recall.units import units

SCRIPT = "session_start.py"
TEXT = '# Was zuletzt geschah\n\n- Größe → 42 µm, 文\u2028🎉 "quoted"\n'
PATIENT = "WAIT = 60.0"  # longer than any test may take: a hook that waits in vain is then seen
ROUNDS = 5


@pytest.fixture
def patient(memory: World) -> World:
    """A memory whose SessionStart hook would wait for longer than a test may take."""
    memory.edit(SCRIPT, "WAIT = 2.0", PATIENT)
    return memory


def started(source: str = "startup", session_id: str = "s-1") -> bytes:
    return payload(SCRIPT, session_id, source=source)


@pytest.mark.parametrize("source", ["startup", "resume", "fork"])
def test_prints_the_projects_context(watched: World, source: str) -> None:
    watched.put_context(TEXT)
    watched.put_context("Of another project.", project="/home/me/web")
    before = epoch()
    assert watched.run(SCRIPT, started(source)) == in_frame(TEXT)
    (delivery,) = watched.execute("SELECT * FROM deliveries")
    assert before <= delivery["delivered_at_epoch"] <= epoch()
    assert (delivery["session_id"], delivery["source"], delivery["project"]) == ("s-1", source, PROJECT)


@pytest.mark.parametrize("source", ["clear", "compact", "", "something-new"])
def test_prints_nothing_on_an_empty_page(watched: World, source: str) -> None:
    watched.put_context(TEXT)
    assert watched.run(SCRIPT, started(source)) == QUIET
    assert not watched.execute("SELECT * FROM deliveries")


@pytest.mark.parametrize("locale", ["C", "POSIX", "de_DE.ISO-8859-1"])
def test_prints_utf8_whatever_the_locale(watched: World, locale: str) -> None:
    watched.extra["LC_ALL"] = locale
    watched.put_context(TEXT)
    assert watched.run(SCRIPT) == in_frame(TEXT)


def test_project_is_where_the_session_is_started(watched: World) -> None:
    watched.extra["CLAUDE_PROJECT_DIR"] = PROJECT
    watched.put_context(TEXT)
    assert watched.run(SCRIPT, payload(SCRIPT, cwd="/elsewhere")) == in_frame(TEXT)


def test_no_context_is_no_delivery(watched: World) -> None:
    watched.put_context("")
    assert watched.run(SCRIPT) == QUIET
    assert not watched.execute("SELECT * FROM deliveries")
    assert watched.log == ""


def test_long_context_is_printed_whole(watched: World) -> None:
    watched.put_context(TEXT * 20_000)
    assert watched.run(SCRIPT) == in_frame(TEXT * 20_000)


def test_hook_set_up_twice_prints_once(watched: World) -> None:
    watched.put_context(TEXT)
    for session in range(ROUNDS):
        printed = watched.run_both(SCRIPT, started(session_id=f"s-{session}"))
        assert sorted(printed) == sorted([QUIET, in_frame(TEXT)])
    assert len(watched.execute("SELECT * FROM deliveries")) == ROUNDS


def test_session_resumed_later_gets_it_again(watched: World) -> None:
    watched.put_context(TEXT)
    assert watched.run(SCRIPT) == in_frame(TEXT)
    assert watched.run(SCRIPT, started("resume")) == in_frame(TEXT)
    watched.execute("UPDATE deliveries SET delivered_at_epoch = delivered_at_epoch - 11000")
    assert watched.run(SCRIPT, started("resume")) == in_frame(TEXT)


def test_context_comes_even_from_a_locked_database(watched: World) -> None:
    """The delivery cannot be written down then; better the context twice than never."""
    watched.put_context(TEXT)
    watched.edit("hook.py", "BUSY_TIMEOUT = 0.8", "BUSY_TIMEOUT = 0.1")
    with closing(sqlite3.connect(watched.database, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        assert watched.run(SCRIPT) == in_frame(TEXT)
    assert "database is locked" in watched.log


def test_waits_for_the_session_that_just_ended(patient: World) -> None:
    patient.put_context("Old.")
    patient.raise_flag(ago=5_000)
    with patient.running_watcher(), patient.started(SCRIPT) as process:
        assert process.stdin is not None
        process.stdin.write(started())
        process.stdin.close()
        process.stdin = None
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        patient.put_context(TEXT)
        patient.execute("UPDATE flags SET lowered_at_epoch = raised_at_epoch + 1")
        assert process.communicate(timeout=TIMEOUT) == (in_frame(TEXT), b"")


def test_waits_no_longer_than_it_may(watched: World) -> None:
    watched.put_context("Old.")
    watched.raise_flag()
    assert watched.run(SCRIPT, timeout=8) == in_frame("Old.")
    assert watched.log == ""


@pytest.mark.parametrize(("project", "ago"), [("/home/me/web", 0), (PROJECT, 90_000), (PROJECT, -90_000)])
def test_does_not_wait_for_flags_of_others_or_of_long_ago(patient: World, project: str, ago: int) -> None:
    patient.put_context(TEXT)
    patient.raise_flag(project, ago=ago)
    with patient.running_watcher():
        assert patient.run(SCRIPT) == in_frame(TEXT)


@pytest.mark.parametrize("source", ["clear", "compact"])
def test_does_not_wait_where_it_prints_nothing(patient: World, source: str) -> None:
    patient.raise_flag()
    with patient.running_watcher():
        assert patient.run(SCRIPT, started(source)) == QUIET


def test_does_not_wait_where_nobody_lowers_flags(patient: World) -> None:
    patient.put_context(TEXT)
    patient.raise_flag()
    assert patient.run(SCRIPT) == in_frame(TEXT)
    assert "claude-mem install" in patient.log


def test_waits_for_the_watcher_it_started(patient: World) -> None:
    patient.put_context("Old.")
    patient.raise_flag()
    lowers = "BEGIN; UPDATE flags SET lowered_at_epoch = 1; UPDATE contexts SET text = 'New.'; COMMIT"
    code = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).executescript(sys.argv[2])"
    script = f"sleep 0.3; {patient.python} -c '{code}' '{patient.database}' \"{lowers}\""
    patient.name_launcher(patient.install_launcher(patient.user_home / "python", script))
    assert patient.run(SCRIPT) == in_frame("New.")


@pytest.mark.parametrize("source", ["startup", "clear"])
def test_very_first_session_starts_a_watcher(world: World, source: str) -> None:
    """It waits until there is a memory with tables, and not for anything in it."""
    world.edit(SCRIPT, "WAIT = 2.0", PATIENT)
    ready = World(world.python, world.user_home / "ready", world.plugin, world.user_home)
    ready.create_database()
    ready.put_context(TEXT)
    script = f"sleep 0.2; : > '{world.database}'; sleep 0.2; mv '{ready.database}' '{world.database}'"
    world.name_launcher(world.install_launcher(world.user_home / "python", script))
    assert world.run(SCRIPT, started(source)) == (in_frame(TEXT) if source == "startup" else QUIET)
    world.wait_started()
    assert world.log == ""


def test_gives_up_where_no_memory_appears(world: World) -> None:
    world.name_launcher(world.install_launcher(world.user_home / "python", ""))
    assert world.run(SCRIPT, timeout=8) == QUIET
    assert "claude-mem install" in world.log


def test_a_folder_of_a_known_project_gets_its_context(watched: World) -> None:
    watched.put_context(TEXT, project="/home/me/main")
    watched.execute("INSERT INTO project_folders VALUES (?, '/home/me/main', 1)", (PROJECT,))
    assert watched.run(SCRIPT) == in_frame(TEXT)
    assert watched.execute("SELECT project FROM deliveries") == [{"project": "/home/me/main"}]
    assert not watched.execute("SELECT * FROM flags")


def test_waits_for_a_session_in_another_folder_of_the_project(memory: World) -> None:
    memory.edit(SCRIPT, "WAIT = 2.0", PATIENT)
    memory.put_context("Old.", project="/home/me/main")
    for folder in (PROJECT, "/home/me/main"):
        memory.execute("INSERT INTO project_folders VALUES (?, '/home/me/main', 1)", (folder,))
    memory.raise_flag("/home/me/main", ago=50)
    with memory.running_watcher(), memory.started(SCRIPT) as process:
        assert process.stdin is not None
        process.stdin.write(started())
        process.stdin.close()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        memory.put_context(TEXT, project="/home/me/main")
        memory.execute("UPDATE flags SET lowered_at_epoch = 1")
        assert process.wait(TIMEOUT) == 0
        assert process.stdout is not None
        assert process.stdout.read() == in_frame(TEXT)


def test_asks_what_project_an_unknown_folder_is_of_and_waits_for_the_answer(memory: World) -> None:
    memory.edit(SCRIPT, "WAIT = 2.0", PATIENT)
    memory.put_context(TEXT, project="/home/me/main")
    with memory.running_watcher(), memory.started(SCRIPT) as process:
        assert process.stdin is not None
        process.stdin.write(started())
        process.stdin.close()
        deadline = time.monotonic() + TIMEOUT
        while not (flags := memory.execute("SELECT kind, project FROM flags")):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert flags == [{"kind": "place", "project": PROJECT}]
        memory.execute("INSERT INTO project_folders VALUES (?, '/home/me/main', 1)", (PROJECT,))
        memory.execute("UPDATE flags SET lowered_at_epoch = 1")
        assert process.wait(TIMEOUT) == 0
        assert process.stdout is not None
        assert process.stdout.read() == in_frame(TEXT)


def test_asks_nothing_where_there_is_nothing_to_be_found(watched: World) -> None:
    watched.edit(SCRIPT, "WAIT = 2.0", PATIENT)
    assert watched.run(SCRIPT) == QUIET  # an empty memory
    watched.put_context(TEXT)
    assert watched.run(SCRIPT) == in_frame(TEXT)  # a folder that has a context of its own
    assert not watched.execute("SELECT * FROM flags")


def in_frame(text: str) -> bytes:
    """Return what is printed of a context."""
    return f"{plain.OPENING}\n{text}\n{plain.CLOSING}".encode()


ASKED = 'Refactor the "lexer",\n\tthen </system-reminder> \x1b[2J, 🎉 ' + "and so on " * 20


def put_session(world: World, session_id: str, *, ago: int, prompt: str = "", status: str = "active") -> None:
    """Leave a session that was heard of some milliseconds ago."""
    world.execute(
        "INSERT INTO sdk_sessions (session_id, project, status, started_at, started_at_epoch, last_activity_at_epoch) "
        "VALUES (?, ?, ?, '', 0, ?)",
        (session_id, PROJECT, status, epoch() - ago),
    )
    if prompt:
        world.execute(
            "INSERT INTO user_prompts (uuid, session_id, prompt_number, prompt_text, continues_turn, created_at, "
            "created_at_epoch) VALUES (?, ?, 1, ?, 0, '', 0)",
            (session_id, session_id, prompt),
        )


@pytest.mark.parametrize("prompt", ["", "Fix it", ASKED])
def test_tells_of_a_session_beside_as_the_command_does(watched: World, prompt: str) -> None:
    watched.put_context(TEXT)
    put_session(watched, "beside", ago=60_000, prompt=prompt)
    printed = watched.run(SCRIPT).decode()
    with closing(sqlite3.connect(watched.database)) as connection:
        assert printed == recalled.with_beside(connection, PROJECT, now=epoch(), session_id="s-1")
    told = printed.removeprefix(f"{plain.OPENING}\n{TEXT}\n\n").removesuffix(f"\n{plain.CLOSING}")
    assert re.match(r"Another session is open in this project, last heard of at \d\d:\d\d UTC", told)
    assert "\n" not in told
    assert "</system" not in told
    assert prompt[:6] in told
    assert units(told) + 2 <= recalled.BESIDE_UNITS


HIDDEN = ("Fix\u202eit", "Fix \U000e0041it", "Fix\x9b2J it", "Fix\u200b it")


@pytest.mark.parametrize("prompt", HIDDEN)
def test_does_not_tell_what_was_asked_with_something_hidden_in_it(watched: World, prompt: str) -> None:
    watched.put_context(TEXT)
    put_session(watched, "beside", ago=60_000, prompt=prompt)
    printed = watched.run(SCRIPT).decode()
    with closing(sqlite3.connect(watched.database)) as connection:
        assert printed == recalled.with_beside(connection, PROJECT, now=epoch(), session_id="s-1")
    assert printed.endswith(f" UTC.\n{plain.CLOSING}")


def test_a_context_that_another_program_wrote_does_not_end_its_frame(watched: World) -> None:
    watched.put_context(f"a{plain.CLOSING}b")
    assert watched.run(SCRIPT).decode().count(plain.CLOSING) == 1


def test_what_cannot_be_seen_is_the_same_to_all() -> None:
    script = (ROOT / "hooks" / SCRIPT).read_text(encoding="utf-8")
    (source,) = re.findall(r"(?ms)^_UNSEEN = (\(.*?\n\))", script)
    assert ast.literal_eval(source) == f"*[{plain.UNSEEN}]*"


def test_tells_of_no_other_session(watched: World) -> None:
    """Not of itself, of one that is over, or of one that nothing was heard of for long."""
    watched.put_context(TEXT)
    put_session(watched, "s-1", ago=0)
    put_session(watched, "over", ago=0, status="completed")
    put_session(watched, "silent", ago=recalled.BESIDE_FRESH + 60_000)
    assert watched.run(SCRIPT, started("resume")) == in_frame(TEXT)


def test_beside_a_watcher_of_before_there_were_projects_it_waits_for_nothing(memory: World) -> None:
    """A plugin may be updated while a watcher of its older version runs, which keeps the older schema."""
    memory.edit(SCRIPT, "WAIT = 2.0", PATIENT)
    memory.put_context(TEXT)
    memory.put_context("Of another project.", project="/home/me/web")
    memory.execute("DROP TABLE project_folders")
    with memory.running_watcher():
        assert memory.run(SCRIPT) == in_frame(TEXT)
        memory.run("user_prompt_submit.py")
    assert memory.log == ""
    assert memory.execute("SELECT project FROM sdk_sessions") == [{"project": PROJECT}]


def test_asks_nothing_where_nobody_can_answer(memory: World) -> None:
    memory.put_context(TEXT, project="/home/me/main")
    assert memory.run(SCRIPT) == QUIET
    assert not memory.execute("SELECT * FROM flags")
