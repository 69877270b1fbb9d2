"""A watcher with nothing to do does nothing, and finds out in time all the same when there is something.

It waits in a time of the test's own, in which a minute is over at once, and hears of nothing: every event is lost.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from tests.service.recorder import ScriptedAgent
from tests.transcript import lines
from tests.transcript.lines import BEGIN
from watcher.memory.database import Database
from watcher.service import waiting
from watcher.service.watch import Watch
from watcher.settings import Settings

SESSIONS = tuple(f"{letter * 8}-0000-4000-8000-000000000000" for letter in "abc")
SETTLED = 700.0  # seconds after which silence has had its consequences: no turn runs, housekeeping was done once


class Deaf:
    """A watcher that hears of nothing, and the time it goes by."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.settings = settings
        self.database = database
        self.pace = 0.0  # seconds
        self.wakes = 0
        self.statements: list[str] = []
        self.agent = ScriptedAgent()
        self.watch = Watch(
            settings,
            database,
            self.agent,
            since=0,
            clock=lambda: BEGIN + round(self.pace * 1000),
            pace=lambda: self.pace,
        )
        self.watch._listening._hints.wait = self._wait  # type: ignore[method-assign]
        self._plan: list[tuple[float, Callable[[], None]]] = []

    def _wait(self, timeout: float) -> set[str]:
        """Let time pass instead of waiting, and what is planned happen in it."""
        self.wakes += 1
        until = self.pace + max(0.0, timeout)
        while self._plan and self._plan[0][0] <= until:
            self.pace, act = self._plan.pop(0)
            act()
        self.pace = max(self.pace, until)
        return set()

    def run(self, *plan: tuple[float, Callable[[], None]]) -> None:
        """Run through what is planned, at its time (seconds); end at the last."""
        self._plan = sorted(plan, key=lambda step: step[0])
        last, act = self._plan.pop()
        self._plan.append((last, lambda: (act(), self.watch.stop("tested"))[0]))
        with self.watch:
            self.watch.run()

    def count(self) -> None:
        """Count from now on."""
        self.wakes = 0
        self.statements.clear()

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(self.database.path)) as connection:
            return connection.execute(sql).fetchall()

    def write(self, session: str, *content: bytes) -> None:
        """Append to a transcript; the file system's time is the watcher's."""
        path = self.settings.projects / "-home-dev-api" / f"{session}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(b"".join(content))
        os.utime(path, (BEGIN / 1000 + self.pace,) * 2)

    def flag(self, session: str, kind: str, **said: str) -> None:
        """Raise a flag as a hook does."""
        with closing(sqlite3.connect(self.database.path)) as connection, connection:
            connection.execute(
                "INSERT INTO flags (session_id, kind, event, raised_at_epoch) VALUES (?, ?, ?, ?)",
                (session, kind, json.dumps({"session_id": session, **said}), BEGIN + round(self.pace * 1000)),
            )


@pytest.fixture
def deaf(settings: Settings, database: Database) -> Iterator[Deaf]:
    made = Deaf(settings, database)

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        made.statements.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    yield made
    event.remove(Engine, "before_cursor_execute", note)


def nothing() -> None:
    """Only let time pass."""


def claim(settings: Settings, session: str, pid: int) -> Path:
    """Say what Claude Code says of a process that writes a session."""
    folder = settings.claude_dir / "sessions"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{session}.json"
    # It began before the test did; the test's time is another one than the system's.
    path.write_text(json.dumps({"pid": pid, "sessionId": session, "startedAt": 1 << 60, "updatedAt": BEGIN}))
    return path


@pytest.fixture
def writer() -> Iterator[subprocess.Popen[bytes]]:
    """A process that writes a session."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def test_an_hour_of_silence_takes_next_to_no_query(deaf: Deaf, writer: subprocess.Popen[bytes]) -> None:
    """Of three sessions: one at rest, one in the middle of a tool use, one waiting for the user."""
    for number, session in enumerate(SESSIONS):
        claim(deaf.settings, session, os.getpid() if number else writer.pid)
        deaf.write(session, lines.turn(number, number))
    deaf.write(SESSIONS[1], lines.prompt(3000, "Go on"), lines.tool_use(3001, "long"))
    seen: Counter[str] = Counter()
    length = 2400.0  # before the next round of housekeeping
    deaf.run((SETTLED, deaf.count), (SETTLED + length, lambda: seen.update(deaf.statements)))
    assert deaf.rows("SELECT count(*) FROM sdk_sessions WHERE status = 'active'") == [(3,)]
    assert deaf.rows("SELECT count(*) FROM session_summaries WHERE source = 'agent'") == [(3,)]
    assert deaf.wakes <= 1.4 * length  # one a second, and some for heartbeats and rescans
    queries = Counter[str]()
    for statement, times in seen.items():
        for table in set(re.findall(r"\b(flags|sdk_sessions|user_prompts|tool_uses|session_summaries)\b", statement)):
            queries[table] += times
    # One look a minute for work that a clock that was set makes due; each reads three tables at once.
    a_minute = length / waiting.ALL_INTERVAL + 1
    assert queries["flags"] == 0
    assert max(queries.values()) <= a_minute, queries


def test_a_flag_is_seen_within_a_second(deaf: Deaf) -> None:
    deaf.write(SESSIONS[0], lines.prompt(0, "Go"), lines.words(10, "Done."))
    lowered: list[float] = []

    def look() -> None:
        if not lowered and deaf.rows("SELECT 1 FROM flags WHERE lowered_at_epoch IS NOT NULL"):
            lowered.append(deaf.pace)

    raised_at = 200.3
    deaf.run(
        (raised_at, lambda: deaf.flag(SESSIONS[0], "finalize", last_assistant_message="Done.")),
        *((raised_at + 0.01 * step, look) for step in range(1, 300)),
    )
    assert lowered
    assert lowered[0] - raised_at <= 1.05


def test_work_that_another_process_made_due_is_found_in_seconds(deaf: Deaf) -> None:
    deaf.write(SESSIONS[0], lines.turn(0, 1))
    observed: list[float] = []
    made_at = 200.3

    def make_due() -> None:
        assert deaf.rows("SELECT DISTINCT status FROM tool_uses") == [("observed",)]
        with closing(sqlite3.connect(deaf.database.path)) as connection, connection:
            connection.execute("UPDATE tool_uses SET status = 'pending'")

    def look() -> None:
        if not observed and deaf.rows("SELECT 1 FROM tool_uses WHERE status = 'observed'"):
            observed.append(deaf.pace)

    deaf.run((made_at, make_due), *((made_at + 0.05 * step, look) for step in range(1, 200)))
    assert observed
    assert observed[0] - made_at <= waiting.COMMITTED_INTERVAL + 1.5


@pytest.mark.parametrize(("silence", "within"), [(20.0, 1.05), (300.0, 15.05)], ids=["at work", "long silent"])
def test_a_line_that_no_event_told_of_is_found(deaf: Deaf, silence: float, within: float) -> None:
    """In a second where the session is at work, by the rescan else."""
    deaf.write(SESSIONS[0], lines.prompt(0, "Go"))
    taken: list[float] = []

    def look() -> None:
        if not taken and deaf.rows("SELECT 1 FROM tool_uses"):
            taken.append(deaf.pace)

    deaf.run(
        (silence, lambda: deaf.write(SESSIONS[0], lines.tool_use(round(silence * 1000), "t"))),
        *((silence + 0.05 * step, look) for step in range(1, 400)),
    )
    assert taken
    assert taken[0] - silence <= within


def test_the_end_of_a_process_is_seen_within_a_second(deaf: Deaf, writer: subprocess.Popen[bytes]) -> None:
    """Though what it says of itself is not read each second."""
    claim(deaf.settings, SESSIONS[0], writer.pid)
    deaf.write(SESSIONS[0], lines.turn(0, 1))
    ended: list[float] = []

    def end() -> None:
        assert deaf.rows("SELECT status FROM sdk_sessions") == [("active",)]
        writer.kill()
        writer.wait()

    def look() -> None:
        if not ended and deaf.rows("SELECT 1 FROM sdk_sessions WHERE end_reason = 'process gone'"):
            ended.append(deaf.pace)

    deaf.run((100.2, end), *((100.2 + 0.05 * step, look) for step in range(1, 200)))
    assert ended
    assert ended[0] - 100.2 <= 1.1


def test_a_pid_that_is_another_processs_by_now_is_found_out(deaf: Deaf, writer: subprocess.Popen[bytes]) -> None:
    """In a minute: its start is not asked for each second."""
    path = claim(deaf.settings, SESSIONS[0], writer.pid)
    deaf.write(SESSIONS[0], lines.turn(0, 1))

    def begin_anew() -> None:
        assert deaf.rows("SELECT status FROM sdk_sessions") == [("active",)]
        said = json.loads(path.read_text()) | {"startedAt": 1}  # it began after this claim
        path.write_text(json.dumps(said))

    deaf.run((100.2, begin_anew), (165.0, nothing))
    assert deaf.rows("SELECT status, end_reason FROM sdk_sessions") == [("completed", "process gone")]
