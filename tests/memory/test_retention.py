from __future__ import annotations

from tests.memory.past import NOW, days_ago, put_checkpoint, put_request, put_session, put_traces
from tests.rows import rows
from watcher.memory import retention
from watcher.memory.database import Database
from watcher.memory.models import Flag
from watcher.memory.retention import Forgetting, PastSession

TABLES = ("sdk_sessions", "user_prompts", "tool_uses", "observations", "session_summaries")


def past_sessions(database: Database, *, before: float = 0, given_up_before: float = 30) -> list[str]:
    """Return the ids of what may be forgotten; times are in days ago."""
    with database.read() as connection:
        found = retention.past_sessions(
            connection, before=days_ago(before), given_up_before=days_ago(given_up_before), max_attempts=5, limit=9
        )
    return [session.session_id for session in found]


def counts(database: Database) -> list[int]:
    return [rows(database.path, f"SELECT count(*) FROM {table}")[0][0] for table in TABLES]


def test_the_oldest_that_are_over_go_first(database: Database) -> None:
    put_session(database, "young", 1, status="failed")
    put_session(database, "old", 9)
    put_session(database, "active", 10, status="active")
    assert past_sessions(database) == ["old", "young"]
    assert past_sessions(database, before=5) == ["old"]


def test_work_for_the_agent_keeps_a_session_until_it_is_given_up(database: Database) -> None:
    put_session(database, "pending", 9, tool_status="pending")
    put_session(database, "provisional", 9, source="provisional")
    assert past_sessions(database) == []
    assert past_sessions(database, given_up_before=8) == ["pending", "provisional"]
    put_checkpoint(database, "/t", 1, session_id="pending")  # its transcript was read only yesterday
    assert past_sessions(database, given_up_before=8) == ["provisional"]


def test_a_session_goes_some_rows_at_a_time_and_its_own_last(database: Database) -> None:
    put_session(database, "s", 9, tools=5)
    put_session(database, "other", 8)
    past = PastSession("s", "/api", days_ago(9))
    steps = []
    how_far = Forgetting.UNDER_WAY
    while how_far is Forgetting.UNDER_WAY:
        with database.write() as connection:
            how_far = retention.forget(connection, past, 2)
        steps.append(sum(counts(database)))
    assert steps == [12, 10, 8, 6, 5]  # of 9 rows and 5
    assert how_far is Forgetting.DONE
    assert counts(database) == [1, 1, 1, 1, 1]
    assert rows(database.path, "SELECT session_id FROM sdk_sessions") == [("other",)]


def test_a_session_that_was_resumed_meanwhile_is_not_forgotten(database: Database) -> None:
    put_session(database, "s", 9)
    past = PastSession("s", "/api", days_ago(9))
    for change in ("status = 'active'", f"status = 'failed', last_activity_at_epoch = {NOW}"):
        with database.write() as connection:
            connection.exec_driver_sql(f"UPDATE sdk_sessions SET {change}")
            assert retention.forget(connection, past, 99) is Forgetting.CALLED_OFF
    assert counts(database) == [1, 1, 1, 1, 1]


def test_the_horizon_covers_what_was_forgotten_and_never_sinks(database: Database) -> None:
    with database.write() as connection:
        assert retention.horizon(connection) == 0
        retention.raise_horizon(connection, NOW + 1)
        reached = retention.horizon(connection)
        retention.raise_horizon(connection, days_ago(1))
        assert retention.horizon(connection) == reached
    assert NOW < reached <= NOW + retention.MINUTE


def test_the_horizon_is_one_with_the_first_row_that_goes(database: Database) -> None:
    put_session(database, "s", 9, tools=5)
    with database.write() as connection:
        retention.forget(connection, PastSession("s", "/api", days_ago(9)), 1)
    again = Database(database.path)
    with again.read() as connection:
        assert retention.horizon(connection) > days_ago(9)
    again.close()


def test_traces_go_but_for_the_first_run_of_a_watcher_and_the_last(database: Database) -> None:
    for days in (90, 60, 50, 1, 40):
        put_traces(database, days)
    with database.write() as connection:
        connection.execute(Flag.__table__.update().where(Flag.id == 1).values(lowered_at_epoch=None))
        assert retention.drop_traces(connection, days_ago(30), 99) == 3 + 4 + 4 + 2
        assert retention.drop_traces(connection, days_ago(30), 99) == 0
    assert rows(database.path, "SELECT id FROM flags") == [(1,), (4,)]
    assert rows(database.path, "SELECT id FROM watchers") == [(1,), (4,), (5,)]
    assert rows(database.path, "SELECT count(*) FROM deliveries") == [(1,)]
    assert rows(database.path, "SELECT count(*) FROM broken_lines") == [(1,)]


def test_requests_to_the_agent_outlive_their_session_and_go_by_their_age(database: Database) -> None:
    put_session(database, "s", 9)
    for days in (90, 60, 1):
        put_request(database, days)
    with database.write() as connection:
        assert retention.forget(connection, PastSession("s", "/api", days_ago(9)), 99) is Forgetting.DONE
        assert retention.drop_requests(connection, days_ago(30), 1) == 1
        assert retention.drop_requests(connection, days_ago(30), 99) == 1
        assert retention.drop_requests(connection, days_ago(30), 99) == 0
    assert rows(database.path, "SELECT id FROM agent_requests") == [(3,)]


def test_tool_uses_that_waited_too_long_fail_and_their_excerpts_go(database: Database) -> None:
    put_session(database, "waits", 40, tool_status="pending")
    put_session(database, "failed", 40, tool_status="failed")
    put_session(database, "runs", 40, tool_status="pending", status="active")
    put_session(database, "young", 20, tool_status="pending")
    put_session(database, "read-late", 40, tool_status="pending")
    put_checkpoint(database, "/t", 1, session_id="read-late")
    with database.write() as connection:
        stale = retention.stale_tool_uses(connection, days_ago(30), 99)
        assert retention.give_up(connection, stale) == 1
        assert retention.stale_tool_uses(connection, days_ago(30), 99) == []
    assert rows(database.path, "SELECT session_id, status, input, output FROM tool_uses ORDER BY id") == [
        ("waits", "failed", None, None),
        ("failed", "failed", None, None),
        ("runs", "pending", "in", "out"),
        ("young", "pending", "in", "out"),
        ("read-late", "pending", "in", "out"),
    ]


def test_checkpoints_are_looked_at_in_portions(database: Database) -> None:
    for path, days in (("/a", 40), ("/b", 40), ("/c", 1), ("/d", 40)):
        put_checkpoint(database, path, days)
    with database.write() as connection:
        assert retention.still_transcripts(connection, days_ago(30), after="", limit=2) == ["/a", "/b"]
        assert retention.still_transcripts(connection, days_ago(30), after="/b", limit=2) == ["/d"]
        assert retention.drop_checkpoints(connection, ["/a", "/c"], days_ago(30)) == 1
    assert rows(database.path, "SELECT path FROM checkpoints ORDER BY path") == [("/b",), ("/c",), ("/d",)]
