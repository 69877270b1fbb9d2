from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.memory.past import NOW, put_checkpoint, put_context, put_request, put_session, put_traces
from tests.rows import rows
from tests.service.recorder import Recorder
from tests.transcript import lines
from tests.transcript.lines import BEGIN, SESSION
from watcher.memory import lookup, pages
from watcher.memory.database import Database, DatabaseError, driver
from watcher.service import housekeeping as housekeeping_room
from watcher.service.events import Event, EventKind
from watcher.service.housekeeping import DAY, Housekeeping
from watcher.service.ingest import Ingest
from watcher.settings import Settings

HOUR = 3_600_000  # milliseconds


class House:
    """Housekeeping with bounds, a clock and a listener of its own."""

    def __init__(self, settings: Settings, database: Database, **bounds: float) -> None:
        unbounded = {"max_age": 0.0, "max_size": 0.0, "traces": 0.0}
        self.settings = replace(settings, retention=replace(settings.retention, **{**unbounded, **bounds}))
        self.settings.projects.mkdir(parents=True, exist_ok=True)
        self.database = database
        self.now = NOW
        self.events: list[Event] = []
        self.keeper = self.new_keeper()

    def new_keeper(self) -> Housekeeping:
        """Return another one, as the next watcher makes it."""
        return Housekeeping(self.database, self.settings, listener=self.events.append, clock=lambda: self.now)

    def keep(self, *, is_idle: bool = False) -> None:
        """Take steps until a round is done."""
        for _ in range(1000):
            self.keeper.step(is_idle=is_idle)
            if self.keeper._round is None:
                return
        raise AssertionError("a round has no end")

    def sessions(self) -> list[str]:
        return [session_id for (session_id,) in self.rows("SELECT session_id FROM sdk_sessions ORDER BY id")]

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        return rows(self.database.path, sql)

    def execute(self, sql: str) -> None:
        with closing(sqlite3.connect(self.database.path, isolation_level=None)) as connection:
            connection.executescript(sql)

    def context(self, project: str) -> str:
        with self.database.read() as connection:
            return lookup.context(driver(connection), project)

    def pages(self) -> pages.Pages:
        with self.database.read() as connection:
            return pages.pages(connection)


def test_what_is_forgotten_is_not_left_in_the_search_index(settings: Settings, database: Database) -> None:
    def words() -> bytes:
        return b"".join(block for (block,) in house.rows("SELECT block FROM search_index_data"))

    house = House(settings, database, max_age=10)
    for session_id, days in (("oldest", 30), ("older", 12), ("young", 9)):
        put_session(database, session_id, days)
    assert b"oldest" in words()
    house.keep()
    assert house.sessions() == ["young"]
    house.keep(is_idle=True)
    assert b"oldest" not in words()
    assert b"young" in words()


def test_what_is_too_old_is_forgotten_and_told_in_one_event(settings: Settings, database: Database) -> None:
    house = House(settings, database, max_age=10)
    for session_id, days in (("a", 30), ("b", 12), ("c", 9)):
        put_session(database, session_id, days)
    house.keep()
    assert house.sessions() == ["c"]
    assert house.rows("SELECT title FROM observations") == [("Saw c",)]
    assert house.events == [Event(EventKind.FORGOTTEN, "2 sessions until 2026-05-16")]


def test_nothing_is_forgotten_without_bounds(settings: Settings, database: Database) -> None:
    house = House(settings, database)
    put_session(database, "a", 4000)
    put_traces(database, 4000)
    house.keep(is_idle=True)
    assert house.sessions() == ["a"]
    assert house.rows("SELECT count(*) FROM flags") == [(1,)]
    assert house.events == []
    assert house.keeper.horizon == 0


def test_what_was_asked_of_the_agent_is_kept_for_a_year(settings: Settings, database: Database) -> None:
    house = House(settings, database)
    for number in range(250):  # more than go in one transaction
        put_request(database, 500 + number / 1000)
    put_request(database, 366)
    house.keep()
    assert house.rows("SELECT count(*) FROM agent_requests") == [(1,)]
    assert house.events == []


def test_what_the_next_session_reads_no_longer_tells_of_it(settings: Settings, database: Database) -> None:
    house = House(settings, database, max_age=10)
    put_session(database, "a", 30)
    put_session(database, "b", 5)
    put_session(database, "c", 30, project="/web")
    put_session(database, "d", 30, project="/web", status="active")
    put_session(database, "e", 30, project="/gone")
    for project in ("/api", "/web", "/gone", "/other"):
        put_context(database, project)
    house.keep()
    assert "Ask b" in house.context("/api")
    assert "Ask a" not in house.context("/api")
    assert "Ask d" in house.context("/web")
    assert "Ask c" not in house.context("/web")
    assert house.rows("SELECT project FROM contexts ORDER BY project") == [("/api",), ("/other",), ("/web",)]
    assert house.context("/other") == "old"


def test_what_is_too_much_is_forgotten_the_oldest_first(settings: Settings, database: Database) -> None:
    house = House(settings, database, max_size=1)
    for number in range(20):
        put_session(database, str(number), 40 - number, size=60_000)
    assert house.pages().used_bytes > 1_000_000
    house.keep()
    kept = house.sessions()
    assert kept == [str(number) for number in range(20 - len(kept), 20)]
    assert 750_000 < house.pages().used_bytes <= 900_000


def test_below_the_size_allowed_nothing_is_forgotten(settings: Settings, database: Database) -> None:
    house = House(settings, database, max_size=1)
    put_session(database, "a", 40, size=700_000)
    assert 900_000 < house.pages().used_bytes <= 1_000_000
    house.keep()
    assert house.sessions() == ["a"]


def test_size_makes_no_session_forgotten_that_was_active_within_a_day(settings: Settings, database: Database) -> None:
    house = House(settings, database, max_size=0.1)
    put_session(database, "yesterday", 1.1)
    put_session(database, "today", 0.9)
    house.keep()
    assert house.sessions() == ["today"]


def test_a_session_whose_work_waits_stays_until_it_is_given_up(settings: Settings, database: Database) -> None:
    house = House(settings, database, max_age=10, traces=30)
    put_session(database, "waits", 20, tool_status="pending")
    put_session(database, "waited", 40, tool_status="pending")
    put_checkpoint(database, "/elsewhere", 40, session_id="waited")
    house.keep()
    assert house.sessions() == ["waits"]
    assert house.events == [
        Event(EventKind.FORGOTTEN, "1 session until 2026-04-18, 1 tool use that waited 30 days for an agent")
    ]


def test_a_round_is_due_once_an_hour(settings: Settings, database: Database) -> None:
    house = House(settings, database, max_age=10)
    house.keep()
    put_session(database, "a", 30)
    house.now += HOUR - 1
    house.keep()
    assert house.sessions() == ["a"]
    house.now += 1
    house.keep()
    assert house.sessions() == []


def test_a_step_is_short_and_the_next_goes_on(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping_room, "BUSY_STEP", 0.0)
    monkeypatch.setattr(housekeeping_room, "ROWS", 3)
    house = House(settings, database, max_age=10)
    put_session(database, "a", 30, tools=7)
    left = []
    for _ in range(3):
        house.keeper.step(is_idle=False)
        left += house.rows("SELECT count(*) FROM tool_uses")
    assert left == [(4,), (1,), (0,)]
    house.keeper = house.new_keeper()  # killed in the middle
    house.keep()
    assert house.sessions() == []
    assert house.rows("SELECT count(*) FROM user_prompts") == [(0,)]


def test_a_locked_database_only_puts_it_off(settings: Settings, database: Database) -> None:
    impatient = Database(database.path, busy_timeout=0.01)
    house = House(settings, impatient, max_age=10)
    put_session(database, "a", 30)
    with closing(sqlite3.connect(database.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseError):
            house.keeper.step(is_idle=True)
        other.execute("ROLLBACK")
    house.keep()
    assert house.sessions() == []
    impatient.close()


def test_a_checkpoint_stays_as_long_as_its_transcript(settings: Settings, database: Database) -> None:
    house = House(settings, database, traces=30)
    there = settings.projects / "there.jsonl"
    there.write_bytes(b"")
    behind_a_file = there / "below.jsonl"
    for path, days in ((there, 40), (settings.projects / "gone", 40), (settings.projects / "young", 1)):
        put_checkpoint(database, str(path), days)
    put_checkpoint(database, str(behind_a_file), 40)
    house.keep()
    left = [Path(str(path)).name for (path,) in house.rows("SELECT path FROM checkpoints ORDER BY path")]
    assert left == ["there.jsonl", "young"]


def test_checkpoints_stay_where_all_transcripts_are_out_of_sight(settings: Settings, database: Database) -> None:
    house = House(settings, database, traces=30)
    put_checkpoint(database, str(settings.projects / "gone.jsonl"), 40)
    settings.projects.rmdir()
    house.keep()
    assert house.rows("SELECT count(*) FROM checkpoints") == [(1,)]


@pytest.fixture
def forgotten(recorder: Recorder) -> House:
    """A memory that took in a session of one turn, and forgot it thirty days later."""
    recorder.write(lines.turn(0, 1, tools=2))
    recorder.life.follow(recorder.transcript)
    recorder.life.end(SESSION, at=BEGIN + 2000, reason="other")
    house = House(recorder.settings, recorder.database, max_age=10)
    with house.database.write() as connection:
        connection.exec_driver_sql("UPDATE tool_uses SET status = 'observed'")
        connection.exec_driver_sql("UPDATE session_summaries SET source = 'agent'")
    house.now = recorder.now = BEGIN + 30 * DAY
    house.keep()
    assert house.sessions() == []
    assert "Do number 1" not in house.context("/home/dev/api")
    recorder.ingest = Ingest(
        house.database, house.settings.capture, horizon=house.new_keeper().horizon, clock=lambda: recorder.now
    )
    return house


def test_a_forgotten_session_that_goes_on_begins_anew(recorder: Recorder, forgotten: House) -> None:
    recorder.write(lines.turn(30 * DAY, 2))
    recorder.ingest.take_in(recorder.transcript)
    assert forgotten.rows("SELECT prompt_number, prompt_text FROM user_prompts") == [(1, "Do number 2")]
    assert forgotten.rows("SELECT tool_use_id FROM tool_uses") == [("tool-2-0",)]


def test_a_forgotten_session_does_not_come_back_from_its_transcript(recorder: Recorder, forgotten: House) -> None:
    content = recorder.transcript.read_bytes()
    recorder.transcript.unlink()
    recorder.transcript.write_bytes(lines.line(0, type="mode") + content)
    recorder.ingest.take_in(recorder.transcript)
    assert forgotten.sessions() == []
    recorder.write(lines.turn(30 * DAY, 2))
    recorder.ingest.take_in(recorder.transcript)
    assert forgotten.rows("SELECT prompt_text FROM user_prompts") == [("Do number 2",)]
    assert forgotten.rows("SELECT tool_use_id FROM tool_uses") == [("tool-2-0",)]


def test_a_forgotten_session_does_not_come_back_from_a_fork(recorder: Recorder, forgotten: House) -> None:
    fork = recorder.transcript.with_name("22222222-2222-4222-8222-222222222222.jsonl")
    fork.write_bytes(recorder.transcript.read_bytes() + lines.turn(30 * DAY, 2))
    recorder.ingest.take_in(fork)
    assert forgotten.sessions() == [fork.stem]
    assert forgotten.rows("SELECT prompt_text FROM user_prompts") == [("Do number 2",)]
    assert forgotten.rows("SELECT tool_use_id FROM tool_uses") == [("tool-2-0",)]


def test_the_horizon_follows_the_age_allowed(settings: Settings, database: Database) -> None:
    house = House(settings, database, max_age=10)
    house.keep()
    assert 0 <= house.keeper.horizon - (NOW - 10 * DAY) < 60_000
    house.now += HOUR
    house.keep()
    assert 0 <= house.keeper.horizon - (NOW + HOUR - 10 * DAY) < 60_000


def filled_and_emptied(house: House, *, auto_vacuum: str) -> None:
    """Leave some MB of free pages behind, most of what is in the file."""
    house.execute(f"PRAGMA auto_vacuum = {auto_vacuum}; VACUUM;")
    house.execute(
        "INSERT INTO contexts SELECT value, hex(zeroblob(500000)), 0 FROM json_each('[1,2,3,4,5,6,7,8,9]');"
        "DELETE FROM contexts"
    )
    assert house.pages().free_bytes > 8_000_000


@pytest.mark.parametrize("auto_vacuum", ["NONE", "INCREMENTAL"])
def test_free_pages_go_back_to_the_file_system_in_idle_time_only(
    settings: Settings, database: Database, auto_vacuum: str
) -> None:
    house = House(settings, database)
    filled_and_emptied(house, auto_vacuum=auto_vacuum)
    before = house.pages()
    house.keep()
    assert house.pages() == before
    for _ in range(100):
        house.keeper.step(is_idle=True)
    assert house.pages().free_bytes < 1_000_000
    assert house.pages().is_incremental
    assert database.path.stat().st_size < 1_500_000


def test_a_file_is_not_written_anew_for_little(settings: Settings, database: Database) -> None:
    house = House(settings, database)
    house.execute("PRAGMA auto_vacuum = NONE; VACUUM;")
    put_context(database, "/big", "x" * 40_000_000)
    filled = "INSERT INTO contexts VALUES ('/free', hex(zeroblob(4500000)), 0); DELETE FROM contexts WHERE text = ''"
    house.execute(f"{filled}; DELETE FROM contexts WHERE project = '/free'")
    before = house.pages()
    assert before.free_bytes > 8_000_000
    house.keep(is_idle=True)
    assert house.pages().total == before.total


def test_a_log_that_grew_is_emptied_in_idle_time_only(settings: Settings, database: Database) -> None:
    house = House(settings, database)
    with closing(sqlite3.connect(database.path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM contexts").fetchone()
        put_context(database, "/api", "x" * 9_000_000)
    assert pages.log_size(database.path) > 8_000_000
    house.keep()
    assert pages.log_size(database.path) > 8_000_000
    house.keep(is_idle=True)
    assert pages.log_size(database.path) < 8_000_000
