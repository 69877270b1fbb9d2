"""`claude-mem usage`: a table that fits a terminal, the same as JSON, and today's share of the budget."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_cli import claude_mem
from watcher.memory import requests
from watcher.memory.database import Database
from watcher.memory.usage import day
from watcher.service import events

A, B = "aaaaaaaa-0000-4000-8000-000000000000", "bbbbbbbb-0000-4000-8000-000000000000"
FAR = "/home/dev/a-very-long/path/to-a/project-of-some-depth"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with requests of today, of yesterday, and of more than a month ago."""
    database = Database.create(tmp_path / ".claude-mem" / "data" / "claude-mem.db")
    now = events.now()
    with database.write() as connection:
        for when, session, project, tokens, cost in (
            (now, A, "/home/dev/api", 12_345, 0.25),
            (now + 1, B, FAR, 1_000, 0.5),
            (day(now, 1)[0], A, "/home/dev/api", 2_000_000, 1.25),
            (day(now, 40)[0], A, "/home/dev/api", 5, 99.0),
        ):
            request_id = requests.begin(
                connection, session_id=session, project=project, agent="a", model="m", turns=1, tool_uses=40, now=when
            )
            requests.finish(
                connection, request_id, outcome="answered", input_tokens=tokens, output_tokens=100, cost_usd=cost
            )
    database.close()
    return tmp_path


def table(home: Path, *args: str, **variables: str) -> list[str]:
    lines = claude_mem(home, "usage", *args, **variables).stdout.splitlines()
    assert all(len(line) <= 80 for line in lines), lines
    return [" ".join(line.split()) for line in lines]


def date(ago: int = 0) -> str:
    return datetime.fromtimestamp(day(events.now(), ago)[0] / 1000).astimezone().strftime("%Y-%m-%d")


def told(home: Path, *args: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(claude_mem(home, "usage", "--json", *args).stdout)
    return found


def test_by_day(home: Path) -> None:
    assert table(home) == [
        "day requests tool uses tokens in tokens out cost",
        f"{date()} 2 80 13,345 200 $0.75",
        f"{date(1)} 1 40 2,000,000 100 $1.25",
        "in all 3 120 2,013,345 300 $2.00",
        "today: 2 of 500 requests, $0.75 of $10.00",
    ]
    assert table(home, "--days", "1")[1:] == [
        f"{date()} 2 80 13,345 200 $0.75",
        "today: 2 of 500 requests, $0.75 of $10.00",
    ]
    assert len(table(home, "--days", "41")) == 6


def test_by_project(home: Path) -> None:
    assert table(home, "--by", "project") == [
        "project requests tool uses tokens in tokens out cost",
        "/home/dev/api 2 80 2,012,345 200 $1.50",
        f"…{FAR[-26:]} 1 40 1,000 100 $0.50",
        "in all 3 120 2,013,345 300 $2.00",
        "today: 2 of 500 requests, $0.75 of $10.00",
    ]


def test_by_session(home: Path) -> None:
    lines = table(home, "--by", "session", "--days", "2")
    assert [line.split()[0] for line in lines] == ["session", B[:8], A[:8], "in", "today:"]
    assert lines[1].startswith(f"{B[:8]} {date()} ")
    assert lines[2].endswith("2 80 2,012,345 200 $1.50")


def test_without_bounds_there_is_no_share(home: Path) -> None:
    unbounded = {"CLAUDE_MEM_AGENT_DAILY_REQUESTS": "0", "CLAUDE_MEM_AGENT_DAILY_DOLLARS": "0"}
    assert table(home, **unbounded)[-1] == "today: 2 requests, $0.75"


def test_nothing_asked(tmp_path: Path) -> None:
    Database.create(tmp_path / ".claude-mem" / "data" / "claude-mem.db").close()
    assert table(tmp_path, "--days", "7") == [
        "nothing was asked of the model in the last 7 days",
        "today: 0 of 500 requests, $0.00 of $10.00",
    ]
    assert told(tmp_path)["lines"] == []


def test_as_json(home: Path) -> None:
    found = told(home, "--by", "session")
    assert (found["by"], found["days"]) == ("session", 30)
    first, second = found["lines"]
    assert (first["name"], first["project"]) == (B, FAR)
    assert first["spent"] == {
        "requests": 1,
        "tool_uses": 40,
        "input_tokens": 1000,
        "output_tokens": 100,
        "cost_usd": 0.5,
    }
    assert second["spent"]["requests"] == 2
    assert found["total"]["cost_usd"] == 2.0
    assert found["today"]["requests"] == 2
    assert found["budget"] == {
        "daily_requests": 500,
        "daily_dollars": 10.0,
        "resets_at": day(events.now())[1],
    }
