"""What the agent without a model makes of recorded sessions, a kind of work each, as a person has judged it.

To make a golden file anew, and then to read it as the developer of the next session would:

    GOLDEN=new .venv/bin/python -m pytest tests/agent/test_kinds_of_work.py
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import FIXTURES
from tests.rows import rows
from watcher.agent.extractive import ExtractiveAgent
from watcher.memory.database import Database
from watcher.service import recording
from watcher.service.replay import Replay
from watcher.settings import Settings

GOLDEN = Path(__file__).parent / "golden"
CASES = ("bug-hunt", "feature", "refactor", "research", "failed-attempt", "ordinary")
FIELDS = ("request", "investigated", "learned", "completed", "next_steps", "notes")


def remembered(settings: Settings, case: str) -> str:
    """Replay a session, and return all that is remembered of it as text that reads well."""
    database = Database.create(settings.database)
    assert Replay(settings, database, ExtractiveAgent()).at_once(recording.find([FIXTURES / case]))
    return "\n".join([*_summaries(settings.database), *_observations(settings.database)]) + "\n"


def _summaries(path: Path) -> Iterator[str]:
    columns = ", ".join(FIELDS)
    for number, *values in rows(path, f"SELECT prompt_number, {columns} FROM session_summaries ORDER BY prompt_number"):
        yield f"# Summary of turn {number}"
        yield from (f"{name}: {value}" for name, value in zip(FIELDS, values, strict=True))
        yield ""


def _observations(path: Path) -> Iterator[str]:
    columns = "type, title, subtitle, narrative, facts, concepts"
    for kind, title, subtitle, narrative, facts, concepts in rows(
        path, f"SELECT {columns} FROM observations ORDER BY id"
    ):
        yield f"## [{kind}] {title}"
        yield from (f"{text}" for text in (subtitle, narrative) if text)
        yield from (f"- {fact}" for fact in json.loads(facts))
        yield f"({', '.join(json.loads(concepts))})\n"


@pytest.mark.parametrize("case", CASES)
def test_a_recorded_session_is_remembered_as_judged(settings: Settings, case: str) -> None:
    text = remembered(settings, case)
    path = GOLDEN / f"{case}.txt"
    if os.environ.get("GOLDEN") == "new":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
