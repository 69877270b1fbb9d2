"""What is forgotten is gone from every row and every byte, and does not come in again on any way."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.service.forgotten_world import (
    EDITED,
    FORK,
    NOW,
    SECRET,
    TURNS,
    WAYS,
    Late,
    World,
    holds,
    made,
    thinking,
    told,
    words,
)
from tests.service.recorder import PROJECT, Recorder
from tests.service.watcher_process import WatcherProcess
from tests.transcript import lines
from tests.transcript.lines import SESSION
from watcher import permissions
from watcher.agent import base
from watcher.errors import ClaudeMemError
from watcher.memory import beside, outcomes, projects, requests
from watcher.memory.database import Database, as_json, driver
from watcher.memory.models import FlagKind
from watcher.memory.outcomes import ObservationFields
from watcher.memory.selection import Wanted, select
from watcher.service import forgetting
from watcher.service.digest import Digest
from watcher.service.housekeeping import Housekeeping


@pytest.fixture
def world(recorder: Recorder) -> World:
    return World(recorder)


def test_the_world_knows_what_is_to_be_forgotten(world: World) -> None:
    assert world.prompts() == ["marmalade", SECRET, "gooseberry"]
    assert len(world.rows("SELECT 1 FROM session_summaries")) == 3
    assert "claude-mem.db" in holds(world.settings.home, SECRET) or "claude-mem.db-wal" in holds(
        world.settings.home, SECRET
    )
    assert SECRET.lower() in words(world.settings.database)
    assert SECRET in world.recorder.context()


@pytest.mark.parametrize(
    "wanted",
    [
        {"text": SECRET.upper()},
        {"text": SECRET[1:-1]},
        {"since": lines.BEGIN + 9_000, "until": lines.BEGIN + 10_005},
        {"project": "/home/dev/api", "since": lines.BEGIN + 10_030, "until": lines.BEGIN + 12_000},
        {"session": SESSION, "text": SECRET},
    ],
)
def test_a_turn_is_gone_from_every_row_and_byte_and_stays_away(world: World, wanted: dict[str, Any]) -> None:
    done = world.forget(**wanted)
    assert done.is_overwritten
    left(world)


@pytest.mark.parametrize("id_", ["P2", "S2"])
def test_a_prompt_and_a_summary_go_with_their_turn(world: World, id_: str) -> None:
    world.forget(id_)
    left(world)


def left(world: World) -> None:
    """Make sure that the second turn is gone, and all of the others left."""
    assert world.prompts() == ["marmalade", "gooseberry"]
    assert world.leaks(SECRET) == world.leaks(EDITED) == []
    assert world.rows("SELECT prompt_number FROM user_prompts ORDER BY 1") == [(1,), (2,)]
    assert world.rows("SELECT prompt_number, request FROM session_summaries ORDER BY 1") == [
        (1, "Do number 1 with marmalade"),
        (2, "Do number 3 with gooseberry"),
    ]
    assert world.rows("SELECT tool_use_id, prompt_number FROM tool_uses ORDER BY 1") == [("tool-1", 1), ("tool-3", 2)]
    assert world.rows("SELECT prompt_count, tool_use_count FROM sdk_sessions") == [(2, 2)]
    assert SECRET not in world.recorder.context()
    assert "gooseberry" in world.recorder.context()
    before = world.dump()
    world.take_in(anew=True)
    assert world.dump() == before


@pytest.mark.parametrize("way", WAYS)
def test_on_no_way_does_it_come_back_and_the_rest_stays(world: World, way: str) -> None:
    world.forget(text=SECRET)
    WAYS[way](world)
    assert world.leaks(SECRET) == world.leaks(EDITED) == []
    assert world.prompts() == ["marmalade", "gooseberry"]
    world.close()


def test_without_tombstones_it_would_come_back(world: World) -> None:
    """These ways lead back: a check that cannot fail would show nothing."""
    for way, take in WAYS.items():
        if way in ("left alone", "flag raised late", "transcript replaced"):
            continue
        world.forget(text=SECRET)
        beside.path_of(world.settings.database).unlink()
        with world.database.write() as connection:
            connection.exec_driver_sql("DELETE FROM forgotten")
        take(world)
        assert world.leaks(SECRET) != [], way
    world.close()


def test_an_observation_goes_with_what_it_rests_on_and_its_summary_is_made_anew(world: World) -> None:
    world.forget("#2")
    assert world.leaks(EDITED) == []
    assert world.prompts() == ["marmalade", SECRET, "gooseberry"]
    assert world.rows("SELECT tool_use_id FROM tool_uses ORDER BY 1") == [("tool-1",), ("tool-3",)]
    assert world.rows("SELECT request, source FROM session_summaries WHERE prompt_number = 2") == [
        (f"Do number 2 with {SECRET}", "provisional")
    ]
    assert world.rows("SELECT title FROM sdk_sessions") == [(f"About {SECRET}",)]
    world.take_in(anew=True)
    assert world.leaks(EDITED) == []
    assert world.rows("SELECT title FROM sdk_sessions") == [(f"About {SECRET}",)]


def test_an_observation_goes_with_others_that_rest_on_the_same(world: World) -> None:
    with world.database.write() as connection:
        connection.exec_driver_sql('UPDATE observations SET tool_use_ids = \'["tool-2","tool-3"]\' WHERE id = 3')
    world.forget("#2")
    assert world.rows("SELECT id FROM observations") == [(1,)]


def test_an_observation_of_another_turn_goes_with_the_tool_uses_that_it_rests_on(world: World) -> None:
    with world.database.write() as connection:
        connection.exec_driver_sql('UPDATE observations SET tool_use_ids = \'["tool-2","tool-3"]\' WHERE id = 3')
    world.forget("P2")
    assert world.rows("SELECT id FROM observations") == [(1,)]
    assert world.prompts() == ["marmalade", "gooseberry"]


def test_an_agent_that_says_the_same_again_is_not_heard(world: World) -> None:
    (row,) = world.rows(
        "SELECT prompt_number, type, title, subtitle, narrative, facts, concepts, files_read, files_modified "
        "FROM observations WHERE id = 2"
    )
    number, type_, title, subtitle, narrative, *lists = row
    facts, concepts, read, modified = (tuple(json.loads(one)) for one in lists)
    again = ObservationFields(
        number, type_, title, subtitle, narrative, facts, concepts, read, modified, tool_use_ids=(), at=NOW
    )
    world.forget("#2")
    with world.database.write() as connection:
        assert outcomes.put_observations(connection, SESSION, PROJECT, [again], agent="other") == 0


def test_tombstones_hold_no_text_and_stand_beside_the_database_for_your_eyes_only(world: World) -> None:
    world.forget(project=PROJECT)
    kept = world.rows("SELECT * FROM forgotten")
    file = beside.path_of(world.settings.database)
    for text in ("marmalade", "gooseberry", SECRET, PROJECT, "Do number"):
        assert text not in str(kept)
        assert text not in file.read_text()
    assert len(kept) > 5
    assert permissions.is_private(file)
    assert {table: rows for table, rows in world.dump().items() if rows} == {}
    for table in ("project_folders", "project_identities", "project_names", "flags", "deliveries"):
        assert world.rows(f"SELECT count(*) FROM {table}") == [(0,)]


def test_what_a_session_does_afterwards_is_new(world: World) -> None:
    world.forget(session=SESSION)
    world.recorder.now = NOW + 5000
    for line in told(NOW - lines.BEGIN + 1000, 4, "elderberry").splitlines(keepends=True):
        world.recorder.write(line)
        world.recorder.life.take_in(world.recorder.transcript)
    assert world.prompts() == ["elderberry"]
    assert world.rows("SELECT prompt_number, closing_text FROM user_prompts") == [(1, "Did number 4 with elderberry.")]
    assert world.rows("SELECT tool_use_id, prompt_number FROM tool_uses") == [("tool-4", 1)]


@pytest.mark.parametrize("wanted", [{"text": SECRET}, {"session": SESSION}])
def test_the_rest_of_a_turn_that_runs_is_forgotten_too(recorder: Recorder, wanted: dict[str, Any]) -> None:
    begun = (lines.prompt(0, f"Find {SECRET}"), lines.tool_use(10, "a"))
    world = World(recorder, *begun)
    world.forget(**wanted)
    assert world.rows("SELECT * FROM sdk_sessions") == []
    later = NOW - lines.BEGIN
    recorder.write(
        lines.tool_result(later, "a", SECRET),
        lines.words(later + 100, SECRET),
        lines.tool_use(later + 110, "b", command=SECRET),
    )
    world.take_in()
    recorder.write(
        lines.tool_result(later + 120, "b", SECRET), lines.words(later + 130, SECRET), lines.turn_end(later + 140)
    )
    recorder.now = NOW + 5000
    recorder.flag(FlagKind.FINALIZE, later + 150, last_assistant_message=SECRET)
    recorder.life.handle_flags()
    recorder.life.take_in(recorder.transcript)
    assert world.rows("SELECT outcome, json_extract(event, '$.last_assistant_message') FROM flags") == [
        ("nothing new", None)
    ]
    recorder.now = NOW + 60_000
    recorder.write(lines.queued(later + 200, "And then"), told(later + 1000, 5, "elderberry"))
    recorder.life.take_in(recorder.transcript)
    assert world.prompts() == ["then", "elderberry"]
    assert world.rows("SELECT continues_turn FROM user_prompts") == [(0,), (0,)]
    forgetting.overwrite(world.database)
    assert world.leaks(SECRET) == []
    # A fork's copy of those lines, of which the memory never had any.
    fork = recorder.transcript.with_name(f"{FORK}.jsonl")
    fork.write_bytes(lines.tool_use(later + 110, "b", command=SECRET) + lines.tool_result(later + 120, "b", SECRET))
    recorder.life.take_in(fork)
    assert world.leaks(SECRET) == []


def test_what_a_subagent_did_in_a_turn_goes_with_it_however_late_it_is_read(world: World) -> None:
    folder = world.recorder.transcript.with_suffix("") / "subagents"
    folder.mkdir(parents=True)
    (folder / "agent-1.jsonl").write_bytes(lines.tool_use(10_012, "sub-1", command=SECRET))
    (folder / "agent-2.jsonl").write_bytes(lines.tool_use(20_012, "sub-2", command="ls gooseberry"))
    for path in sorted(folder.iterdir()):
        world.recorder.life.take_in(path)
    world.forget("P2")
    with (folder / "agent-1.jsonl").open("ab") as file:
        file.write(lines.tool_result(25_000, "sub-1", SECRET) + lines.tool_use(25_010, "sub-3", command=SECRET))
    (folder / "agent-3.jsonl").write_bytes(lines.tool_use(10_013, "sub-4", command=SECRET))
    for path in sorted(folder.iterdir()):
        world.recorder.life.take_in(path, anew=True)
    assert world.leaks(SECRET) == []
    assert world.rows("SELECT tool_use_id, prompt_number FROM tool_uses ORDER BY 1") == [
        ("sub-2", 2),
        ("tool-1", 1),
        ("tool-3", 2),
    ]


@pytest.fixture
def late(tmp_path: Path) -> Iterator[World]:
    """An agent that has the second of the three turns forgotten while it thinks."""
    world = thinking(tmp_path / "late", text=SECRET)
    yield world
    world.close()


def test_an_answer_that_comes_too_late_is_dropped_and_the_rest_is_asked_about_anew(late: World) -> None:
    late.take_in()
    assert late.leaks(SECRET) == []
    assert late.prompts() == ["marmalade", "gooseberry"]
    assert len(late.rows("SELECT 1 FROM observations")) == 2
    assert {source for (source,) in late.rows("SELECT source FROM session_summaries")} == {"agent"}
    assert late.rows("SELECT outcome FROM agent_requests") == [("answered",)] * 2


def test_an_answer_counts_though_a_forgotten_session_goes_on_while_the_agent_thinks(tmp_path: Path) -> None:
    """What is kept out of the memory then was shown to nobody: an answer that was paid for is not asked for again."""
    other = made(tmp_path / "other")
    other.forget(session=SESSION)
    recorder = other.recorder
    path = recorder.transcript.with_name(f"{FORK}.jsonl")
    recorder.write(told(NOW - lines.BEGIN + 1, 4, "raspberry").replace(SESSION.encode(), FORK.encode()), path=path)

    def go_on() -> None:
        recorder.write(lines.tool_use(NOW - lines.BEGIN + 50, "tool-late", "Read", file_path="/home/dev/api/a.py"))
        recorder.life.take_in(recorder.transcript)

    recorder.agent = Late(go_on)
    recorder.digest = Digest(other.database, recorder.agent, other.settings, clock=lambda: recorder.now)
    other.take_in(path)
    assert other.rows("SELECT outcome FROM agent_requests") == [("answered",)]
    assert other.rows("SELECT count(*) FROM observations") == [(1,)]
    assert other.rows("SELECT count(*) FROM forgotten WHERE key = 'tool-late'") == [(1,)]
    other.close()


def test_a_session_of_another_project_that_went_into_a_forgotten_ones_folder_stays(tmp_path: Path) -> None:
    other = made(tmp_path / "other", is_taken_in=False)
    recorder = other.recorder
    path = recorder.transcript.with_name(f"{FORK}.jsonl")

    def write(at: int, number: int, word: str) -> None:
        recorder.write(told(at, number, word).replace(SESSION.encode(), FORK.encode()), path=path)

    def elsewhere(data: bytes) -> bytes:
        return data.replace(PROJECT.encode(), b"/home/dev/other")

    recorder.transcript.write_bytes(elsewhere(told(0, 1, "marmalade")))
    other.take_in()
    write(100, 2, "raspberry")
    other.take_in(path)
    recorder.write(elsewhere(told(200, 3, "gooseberry").replace(SESSION.encode(), FORK.encode())), path=path)
    other.forget(project="/home/dev/other")
    other.take_in(path)
    assert other.prompts() == ["raspberry", "gooseberry"]
    assert other.rows(f"SELECT count(*) FROM forgotten WHERE key = '{FORK}'") == [(0,)]
    other.close()


def test_a_text_is_gone_from_what_tells_how_things_went(world: World) -> None:
    with world.database.write() as connection:
        for statement in (
            "INSERT INTO flags (session_id, kind, project, event, raised_at_epoch, lowered_at_epoch, outcome) "
            "VALUES ('s', 'finalize', '', '{}', 1, 2, ?)",
            "INSERT INTO broken_lines (path, offset, length, line_hash, head, reason, seen_at_epoch) "
            "VALUES ('a', 0, 1, '', x'', ?, 1)",
            "INSERT INTO watchers (pid, version, started_at_epoch, heartbeat_at_epoch, stop_reason) "
            "VALUES (1, '', 1, 1, ?)",
        ):
            connection.exec_driver_sql(statement, (f"defect: {SECRET}",))
    assert world.forget(text=SECRET).is_overwritten
    assert world.leaks(SECRET) == []


def test_what_an_older_hook_raised_whole_loses_all_text_and_is_still_lowered(world: World) -> None:
    """While no watcher runs nobody else takes it away; a later Claude Code may say it in a field of its own."""
    event = json.dumps({"last_assistant_message": "Did it.", "message": SECRET, "transcript_path": "/a.jsonl"})
    with world.database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO flags (session_id, kind, project, event, raised_at_epoch) VALUES (?, 'finalize', '', ?, ?)",
            (SESSION, event, NOW),
        )
    assert world.forget(text=SECRET).is_overwritten
    assert world.leaks(SECRET) == []
    ((kept,),) = world.rows("SELECT event FROM flags WHERE lowered_at_epoch IS NULL")
    assert set(json.loads(kept)) == {"digest", "closing_digest", "transcript_path"}


def test_a_failure_that_comes_too_late_counts_for_nobody(late: World) -> None:
    assert isinstance(late.recorder.agent, Late)
    late.recorder.agent.fault = base.AgentError("no", kind="unreadable")
    late.take_in()
    assert late.rows("SELECT DISTINCT attempts FROM tool_uses") == [(0,)]
    assert late.rows("SELECT DISTINCT attempts, last_error FROM session_summaries") == [(0, None)]
    assert late.rows("SELECT outcome FROM agent_requests") == [("unreadable",)]


def test_while_somebody_reads_the_watcher_is_left_to_overwrite_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forgetting, "OVERWRITE_WAIT", 0.01)
    reader = sqlite3.connect(world.settings.database, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM user_prompts").fetchone()
    assert not world.forget(text=SECRET).is_overwritten
    assert world.leaks(SECRET) != []
    reader.close()
    Housekeeping(world.database, world.settings, clock=lambda: NOW).step(is_idle=True)
    assert world.leaks(SECRET) == []
    assert world.rows("SELECT count(*) FROM forgotten WHERE kind = 'command' AND is_open") == [(0,)]


def test_a_project_is_forgotten_whichever_of_its_folders_a_session_was_in(world: World) -> None:
    with world.database.write() as connection:
        place = projects.Place("/home/dev/clone", "/home/dev/clone", "example.org/api")
        projects.settle(connection, projects.Place(PROJECT, PROJECT, "example.org/api"), [PROJECT], now=NOW)
        projects.settle(connection, place, [PROJECT], now=NOW)
    world.forget(project=PROJECT)
    path = world.recorder.transcript.with_name(f"{FORK}.jsonl")
    path.write_bytes(told(0, 4, SECRET).replace(b"/home/dev/api", b"/home/dev/clone"))
    world.take_in(path)
    # Its later lines are from a folder that nobody knows, and another watcher reads them.
    with path.open("ab") as file:
        file.write(told(5000, 5, SECRET).replace(b"/home/dev/api", b"/tmp/elsewhere"))
    world.recorder = Recorder(world.settings, world.database)
    world.take_in(path)
    assert world.prompts() == []
    assert world.leaks(SECRET) == []


def test_a_span_of_a_project_keeps_out_sessions_that_were_never_taken_in(world: World) -> None:
    world.forget(project=PROJECT, until=lines.BEGIN + 15_000)
    assert world.prompts() == ["gooseberry"]
    path = world.recorder.transcript.with_name(f"{FORK}.jsonl")
    path.write_bytes(told(5_000, 7, SECRET) + told(16_000, 8, "rhubarb"))
    world.take_in(path)
    assert world.leaks(SECRET) == []
    assert world.prompts() == ["gooseberry", "rhubarb"]


def test_there_is_no_such_row(world: World) -> None:
    with pytest.raises(ClaudeMemError, match="there is no P9"):
        world.forget("P9")


def test_what_may_still_hold_it_is_named(world: World) -> None:
    home, data = world.settings.home, world.settings.database.parent
    world.settings.logs.mkdir()
    (world.settings.logs / "watcher.log").write_text(f"cannot read {SECRET.upper()}\n")
    (world.settings.logs / "hooks.log").write_text("quiet\n")
    (data / "damaged-20260101T000000Z").mkdir()
    (data / "claude-mem.db.bak").write_text("x")
    (home / "config.toml").write_text("")
    (home / "claude-mem.db").write_text("of the TypeScript one")
    transcript = world.recorder.transcript
    (transcript.with_suffix("") / "subagents").mkdir(parents=True)
    for own in (world.settings.excluded, world.settings.sdk_sessions, world.settings.at_prompt):
        own.write_text("1\n")
    (home / "agent").mkdir()
    (home / "agent" / "login.json").write_text("{}")
    found = dict(forgetting.copies(world.settings, [str(transcript), str(transcript.with_name("gone.jsonl"))], SECRET))
    assert sorted(path.name for path in found) == [
        *(transcript.name, "claude-mem.db", "claude-mem.db.bak", "damaged-20260101T000000Z"),
        *("subagents", "watcher.log"),
    ]


_DIES = """
import os, signal, sys
from sqlalchemy import event
from watcher import settings
from watcher.memory.database import Database
from watcher.memory.selection import Wanted
from watcher.service import forgetting

loaded = settings.load()
database = Database(loaded.database)
left = [int(sys.argv[1])]

def dies(connection):
    left[0] -= connection.get_execution_options().get("writes", False)
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)

event.listen(database._engine, "commit", dies)
forgetting.forget(loaded, database, Wanted(text=sys.argv[2]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_killed_as_it_commits_it_is_taken_up_again(world: World) -> None:
    world.close()
    whole = world.settings.home.with_name("whole")
    shutil.copytree(world.settings.home, whole)
    codes = []
    while 0 not in codes:
        shutil.rmtree(world.settings.home)
        shutil.copytree(whole, world.settings.home)
        environment = {"PATH": os.environ["PATH"], "CLAUDE_MEM_HOME": str(world.settings.home)}
        command = [sys.executable, "-c", _DIES, str(len(codes) + 1), SECRET]
        codes.append(subprocess.run(command, env=environment, check=False, timeout=60).returncode)
        is_begun = len(codes) > 1
        assert world.prompts() == (["marmalade", "gooseberry"] if is_begun else ["marmalade", SECRET, "gooseberry"])
        database = Database(world.settings.database)
        if not is_begun:
            forgetting.forget(world.settings, database, Wanted(text=SECRET), clock=lambda: NOW)
        Housekeeping(database, world.settings).step(is_idle=True)
        database.close()
        assert world.leaks(SECRET) == []
    assert codes[0] == -signal.SIGKILL
    assert len(codes) > 3


def test_a_running_watcher_takes_none_of_it_in_and_needs_not_end(tmp_path: Path) -> None:
    with WatcherProcess(tmp_path) as watcher:
        watcher.projects.mkdir(parents=True)
        watcher.start()
        path = watcher.projects / "-home-dev-api" / f"{SESSION}.jsonl"
        path.parent.mkdir()
        begin = round(time.time() * 1000) - lines.BEGIN - 60_000
        path.write_bytes(told(begin, 1, "marmalade") + told(begin + 10_000, 2, SECRET, EDITED))
        watcher.wait_for_rows("SELECT count(*) FROM observations", [(2,)])
        command = [sys.executable, "-m", "watcher", "forget", "--text", SECRET, "--yes", "--json"]
        ran = subprocess.run(command, env=watcher.environment, capture_output=True, check=True, timeout=60)
        assert json.loads(ran.stdout)["is_overwritten"]
        with path.open("ab") as file:
            file.write(told(begin + 10_000, 2, SECRET, EDITED) + told(begin + 20_000, 3, "gooseberry"))
        watcher.wait_for_rows("SELECT count(*) FROM observations", [(2,)])
        assert watcher.rows("SELECT prompt_text FROM user_prompts ORDER BY 1") == [
            ("Do number 1 with marmalade",),
            ("Do number 3 with gooseberry",),
        ]
        assert holds(watcher.memory, SECRET) == holds(watcher.memory, EDITED) == []
        assert watcher.is_alive()


def test_prompts_typed_while_a_turn_ran_go_with_it(recorder: Recorder) -> None:
    turn = (lines.prompt(10_000, SECRET), lines.tool_use(10_010, "a"), lines.queued(10_020, "and chrysanthemum"))
    world = World(recorder, TURNS[0], *turn, lines.words(10_030, SECRET), lines.turn_end(10_040), TURNS[2])
    assert world.prompts() == ["marmalade", SECRET, "chrysanthemum", "gooseberry"]
    world.forget("P3")
    assert world.prompts() == ["marmalade", "gooseberry"]
    assert world.rows("SELECT prompt_number FROM session_summaries ORDER BY 1") == [(1,), (2,)]
    assert world.leaks(SECRET) == world.leaks("chrysanthemum") == []


def test_a_line_that_is_no_entry_says_nothing_any_more(world: World) -> None:
    world.recorder.write(b'{"type": "user", "uuid": "Quetzal-9", "broken": "' + SECRET.encode() + b"\n")
    world.take_in()
    assert world.rows("SELECT count(*) FROM broken_lines WHERE instr(head, 'Quetzal')") == [(1,)]
    world.forget("P1")
    assert world.rows("SELECT count(*) FROM broken_lines") == [(0,)]
    world.take_in(anew=True)
    assert world.rows("SELECT head FROM broken_lines") == [(b"",)]


def test_a_title_alone_goes_where_it_alone_says_it(world: World) -> None:
    world.recorder.write(json.dumps({"type": "ai-title", "aiTitle": "Kumquats", "sessionId": SESSION}).encode() + b"\n")
    world.take_in()
    world.forget(text="kumquat")
    assert world.leaks("kumquat") == []
    assert len(world.prompts()) == 3
    world.take_in(anew=True)
    assert world.rows("SELECT title FROM sdk_sessions") == [("",)]


def test_what_was_asked_of_the_model_is_still_counted_but_not_for_the_project(world: World) -> None:
    with world.database.write() as connection:
        numbers = {"turns": 1, "tool_uses": 1}
        requests.begin(connection, session_id=SESSION, project=PROJECT, agent="a", model="m", now=NOW, **numbers)
    world.forget(project=PROJECT)
    assert world.rows("SELECT session_id, project, turns FROM agent_requests") == [(SESSION, "", 1)]


def test_a_text_is_found_whatever_its_case_and_as_json_spells_it(world: World) -> None:
    with world.database.write() as connection:
        fact = as_json(['Say "Ärger"\nand go'])
        connection.exec_driver_sql("UPDATE observations SET facts = ? WHERE id = 1", (fact,))
        beneath = driver(connection)
        for text in ('"ÄRGER"', "ärger", 'say "Ärger"\nand'):
            assert [turn.since for turn in select(beneath, Wanted(text=text)).turns] == [lines.BEGIN]
        assert select(beneath, Wanted(text="%")).turns == []


def test_what_earlier_changes_left_in_the_file_is_overwritten_too(world: World) -> None:
    """A text that was cut short, or rendered anew, long before still stands in pages that are free by then."""
    told_before = "kumquat " * 200_000
    with closing(sqlite3.connect(world.settings.database, isolation_level=None)) as connection:
        connection.execute("PRAGMA secure_delete = OFF")  # some builds of SQLite have it on
        connection.execute("INSERT INTO contexts VALUES ('/other', ?, 1)", (told_before,))
        connection.execute("DELETE FROM contexts WHERE project = '/other'")
    assert holds(world.settings.home, "kumquat") != []
    world.forget("P2")
    assert world.leaks("kumquat") == []


def test_a_project_s_name_stands_nowhere_but_where_its_transcripts_were_read(world: World) -> None:
    with world.database.write() as connection:
        connection.exec_driver_sql("ANALYZE")
    world.forget(project=PROJECT)
    assert holds(world.settings.home, PROJECT) == []
    assert world.rows("SELECT path FROM checkpoints") == [(str(world.recorder.transcript),)]


def test_a_subagent_that_went_on_in_the_next_turn_is_forgotten_in_the_first_alone(world: World) -> None:
    path = world.recorder.transcript.with_suffix("") / "subagents" / "agent-1.jsonl"
    path.parent.mkdir(parents=True)
    path.write_bytes(lines.tool_use(10_012, "sub-1", command=SECRET) + lines.tool_use(20_012, "sub-2"))
    world.recorder.life.take_in(path)
    world.forget("P2")
    with path.open("ab") as file:
        file.write(lines.tool_result(20_020, "sub-2") + lines.tool_use(20_030, "sub-3"))
    world.recorder.life.take_in(path, anew=True)
    assert world.rows("SELECT tool_use_id FROM tool_uses WHERE agent_id != '' ORDER BY 1") == [("sub-2",), ("sub-3",)]
