"""What comes into the memory by other ways than a transcript has no secrets either."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random

from tests.attacks.vendor_keys import BASE32, some
from tests.rows import rows
from watcher.memory import conditions, salvage, sessions, watchers
from watcher.memory.database import Database
from watcher.memory.models import FlagKind
from watcher.settings import Settings

KEY = "AK" + "IA" + some(Random("memory"), BASE32, 16)
MARK = "[redacted: aws-access-key]"


def test_conditions_flags_and_ends_have_no_secrets(settings: Settings, database: Database) -> None:
    with database.write() as connection:
        conditions.put(connection, conditions.AGENT, "crashed", f"no {KEY}", hint=f"try {KEY}", now=1)
        sessions.raise_flag(connection, "s", FlagKind.FINALIZE, f'{{"last_assistant_message": "{KEY}"}}', 1)
        (flag,) = sessions.raised_flags(connection)
        sessions.lower_flag(connection, flag.id, outcome=f"defect: {KEY}", now=2)
        watchers.stopped(
            connection, watchers.started(connection, pid=1, version="0", now=1), reason=f"crashed: {KEY}", now=2
        )

    assert rows(settings.database, "SELECT text, hint FROM conditions") == [(f"no {MARK}", f"try {MARK}")]
    assert rows(settings.database, "SELECT outcome FROM flags") == [(f"defect: {MARK}",)]
    assert rows(settings.database, "SELECT stop_reason FROM watchers") == [(f"crashed: {MARK}",)]
    assert rows(settings.database, f"SELECT count(*) FROM flags WHERE instr(event, '{KEY}')") == [(0,)]


def test_what_is_saved_of_a_damaged_database_has_no_secrets(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    old = tmp_path / "old.db"
    Database.create(old).close()
    with closing(sqlite3.connect(old)) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("INSERT INTO project_names (project, name) VALUES ('/a', ?)", (f"it {KEY}",))
        parted = f"it {KEY[:9]}\u200b{KEY[9:]}"  # as versions kept it that left what cannot be seen
        connection.execute("INSERT INTO project_names (project, name) VALUES ('/b', ?)", (parted,))
        connection.commit()

    with database.write() as target:
        salvage.save(old, target, lambda _path: False, now=1)

    assert rows(settings.database, "SELECT name FROM project_names") == [(f"it {MARK}",)] * 2
