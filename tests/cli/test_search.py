"""`claude-mem search` as a user types it: what it shows, in a terminal and in a pipe, and what it says instead."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pexpect
import pyte
import pytest
from wcwidth import wcswidth

from tests.conftest import FIXTURES
from tests.memory.test_search_index import DAMAGES
from tests.service.watcher_process import WatcherProcess

PROJECT = "/home/dev/tidytime"


@pytest.fixture
def home(tmp_path: Path) -> WatcherProcess:
    """A home whose memory holds a session."""
    made = WatcherProcess(tmp_path)
    assert made.run("replay", str(FIXTURES / "ordinary")).returncode == 0
    return made


def execute(home: WatcherProcess, sql: str) -> None:
    with closing(sqlite3.connect(home.memory / "data" / "claude-mem.db")) as connection:
        connection.execute(sql)
        connection.commit()


def screen(home: WatcherProcess, command: str, width: int) -> list[str]:
    """Return what stands on a terminal's screen once a command has ended."""
    said = pexpect.run(
        f"{sys.executable} -m watcher {command}",
        env={**home.environment, "TERM": "xterm"},
        cwd=str(home.home),
        dimensions=(40, width),
        timeout=60,
    )
    shown = pyte.Screen(width, 40)
    pyte.ByteStream(shown).feed(said)
    return [line.rstrip() for line in shown.display if line.strip()]


def test_a_pipe_gets_every_row_whole(home: WatcherProcess) -> None:
    execute(home, "UPDATE observations SET title = 'A title ' || printf('%.200c', 'x') WHERE id = 2")
    rows = home.run("search", "test", "parts").stdout.splitlines()
    (row,) = (row for row in rows if row.startswith("#2  "))
    assert row.endswith(f"bugfix     A title {'x' * 200}  tidytime")


def test_json_for_a_pipe(home: WatcherProcess) -> None:
    found = {row["id"]: row for row in json.loads(home.run("search", "left", "--json").stdout)}
    assert found["S3"] == {
        "id": "S3",
        "type": "summary",
        "title": "Commit it, and tell me what is left to do.",
        "project": PROJECT,
        "at": found["S3"]["at"],
        "session_id": found["S3"]["session_id"],
        "origin": "project",
    }
    assert found["S3"]["at"] > 1_700_000_000_000
    assert {row["id"][0] for row in json.loads(home.run("search", "duration", "--json").stdout)} == {"#", "S", "P"}


def test_a_project_and_a_limit(home: WatcherProcess) -> None:
    everywhere = home.run("search", "duration").stdout.splitlines()
    assert home.run("search", "duration", "--project", PROJECT).stdout.splitlines() == everywhere
    assert home.run("search", "duration", "--limit", "2").stdout.splitlines() == everywhere[:2]
    nowhere = home.run("search", "duration", "--project", ".")
    assert nowhere.returncode == 0
    assert nowhere.stdout == f"nothing found in {home.home}\nTry: all projects, fewer words, or only how they begin\n"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
@pytest.mark.parametrize("command", ["search duration", "context"])
def test_a_folder_whose_name_is_no_text(home: WatcherProcess, command: str) -> None:
    """As the hooks write it down: with a mark for each byte that is none."""
    context = "INSERT INTO contexts SELECT '/a' || char(65533), 'marked', 0 FROM contexts"
    for sql in ("UPDATE observations SET project = '/a' || char(65533), title = 'marked duration'", context):
        execute(home, sql)
    finished = home.run(*command.split(), "--project", os.fsdecode(b"/a\xff"))
    assert finished.returncode == 0, finished.stderr
    assert "marked" in finished.stdout


def test_filters_alone_list_the_newest_first(home: WatcherProcess) -> None:
    def rows(*options: str) -> list[dict[str, object]]:
        finished = home.run("search", *options, "--limit", "1000", "--json")
        assert finished.returncode == 0, finished.stderr
        return json.loads(finished.stdout)

    everything = rows("--since", "2020-01-01")
    times = [row["at"] for row in everything]
    assert times == sorted(times, reverse=True)
    assert rows("--since", "2020-01-01", "--order", "oldest")[0]["at"] == times[-1]
    assert rows("--until", "2020-01-01") == []
    assert {row["id"][0] for row in rows("--kind", "summary", "--kind", "prompt")} == {"S", "P"}
    assert {row["type"] for row in rows("--type", "bugfix")} == {"bugfix"}
    assert rows("--session", everything[0]["session_id"][:6]) == everything
    assert rows("--session", "nonesuch") == []
    assert 0 < len(rows("--file", "duration.py")) < len(everything)
    assert 0 < len(rows("--concept", "what-changed")) < len(everything)


@pytest.mark.parametrize(
    ("args", "said", "hint"),
    [
        (["--since", "soon"], "--since 'soon' is no date", "--since 2026-11-01, 2026-11-01T14:30, today"),
        (["--until", "2026-13-01"], "--until '2026-13-01' is no date", "3d or 2w"),
        (["--since", "1d", "--until", "2d"], "--since 1d is later than --until 2d", "exchange the two"),
        (["--kind", "note"], "no kind 'note'", "--kind observation, summary or prompt"),
        (["--order", "best", "x"], "no order 'best'", "--order relevance, newest or oldest"),
        ([], "nothing to look for", "claude-mem search WORD, or --since 3d"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_meant_is_said_with_a_hint(home: WatcherProcess, args: list[str], said: str, hint: str) -> None:
    finished = home.run("search", *args)
    assert finished.returncode == 2
    assert finished.stdout == ""
    assert f"claude-mem: {said}\n" in finished.stderr
    assert hint in finished.stderr


def test_where_no_row_has_all_of_the_words_it_is_said(home: WatcherProcess) -> None:
    finished = home.run("search", "duration", "nonesuch")
    assert finished.stderr == "no row has all of the words; these have some:\n"
    assert finished.stdout == home.run("search", "duration").stdout
    assert finished.returncode == 0
    assert home.run("search", "duration").stderr == ""


def test_what_may_find_more_is_said(home: WatcherProcess) -> None:
    for options in ((), ("--json",)):
        finished = home.run("search", "--type", "bug", *options)
        assert (finished.returncode, finished.stdout) == (2, "")
        assert finished.stderr == "claude-mem: there is no type bug\nTry: --type bugfix or change or discovery\n"
    assert home.run("search", "--session", "x").stdout == "nothing found\nTry: without that option\n"
    assert home.run("search", "a", "--session", "x", "--until", "1d").stdout == (
        "nothing found\nTry: without some of the options, fewer words, or only how they begin\n"
    )


def test_nothing_found_is_said_with_a_hint(home: WatcherProcess) -> None:
    finished = home.run("search", "nonesuch", "anywhere")
    assert finished.returncode == 0
    assert finished.stdout == "nothing found\nTry: fewer words, or only how they begin\n"
    assert finished.stderr == ""
    assert json.loads(home.run("search", "nonesuch", "--json").stdout) == []


@pytest.mark.parametrize("words", [['"'], ["AND", "("], ["🎉"], ["a*", "NEAR"], ["--", "-x", "--y"], ["\\"]], ids=str)
def test_anything_may_be_typed(home: WatcherProcess, words: list[str]) -> None:
    finished = home.run("search", *words)
    assert finished.returncode == 0, finished.stderr
    assert finished.stderr == ""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals")
@pytest.mark.parametrize("width", [80, 140])
def test_a_row_takes_a_line_of_the_terminal(home: WatcherProcess, width: int) -> None:
    execute(home, "UPDATE observations SET title = 'duration ' || printf('%.300c', 'x') WHERE id = 1")
    execute(home, "UPDATE observations SET title = 'duration ' || replace(hex(zeroblob(150)), '00', '界') WHERE id = 2")
    red = "'duration' || char(27) || '[31m red' || char(10) || 'next'"
    execute(home, f"UPDATE observations SET title = {red} WHERE id = 3")
    lines = screen(home, "search duration", width)
    assert len(lines) == len(json.loads(home.run("search", "duration", "--json").stdout))
    named = {line.split()[0]: line for line in lines}
    assert named["#1"].endswith("xx…  tidytime")
    assert "界" in named["#2"]
    assert "duration red next" in named["#3"]
    assert {wcswidth(line) for line in lines} == {width}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals")
def test_short_rows_stay_together(home: WatcherProcess) -> None:
    execute(home, "UPDATE observations SET title = 'incomparable' WHERE id = 1")
    assert screen(home, "search incomparable", 140)[0].endswith("bugfix     incomparable  tidytime")


def test_a_damaged_index_is_said_and_made_anew(home: WatcherProcess) -> None:
    before = home.run("search", "duration").stdout
    execute(home, DAMAGES["no structure"])
    finished = home.run("search", "duration")
    assert finished.returncode == 1
    assert "has a damaged search index" in finished.stderr
    assert "Try: claude-mem search --rebuild" in finished.stderr
    assert home.run("search", "--rebuild").stdout == "the search index is made anew\n"
    assert home.run("search", "duration").stdout == before
    execute(home, DAMAGES["pages that are gone"])
    assert home.run("search", "duration", "--rebuild").stdout == before
