"""A hook whose flag cannot be raised in the database sets it aside in a file."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest

from tests.hooks.conftest import PROJECT, QUIET, World, payload
from watcher.privacy import hook_events


@pytest.mark.parametrize(("script", "kind"), [("stop.py", "finalize"), ("session_end.py", "cleanup")])
def test_without_a_database_a_flag_is_set_aside(world: World, script: str, kind: str) -> None:
    event = payload(script, last_assistant_message='Said "é\u2028"')
    assert world.run(script, event) == QUIET
    (path,) = (world.home / "data" / "flags").iterdir()
    flag = json.loads(path.read_text(encoding="utf-8"))
    assert path.name.startswith(f"{flag.pop('raised_at')}-")
    assert path.suffix == ".json"
    assert flag == {"session_id": "s-1", "kind": kind, "project": PROJECT, "event": hook_events.reduced(event.decode())}
    assert "cannot open" in world.log


def test_a_locked_database_too(watched: World) -> None:
    with closing(sqlite3.connect(watched.database, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        assert watched.run("stop.py") == QUIET
    assert len(list((watched.home / "data" / "flags").iterdir())) == 1


def test_there_are_never_more_than_a_thousand(world: World) -> None:
    folder = world.home / "data" / "flags"
    folder.mkdir(parents=True)
    for number in range(1000):
        (folder / f"{number}.json").touch()
    assert world.run("stop.py") == QUIET
    assert len(list(folder.iterdir())) == 1000
