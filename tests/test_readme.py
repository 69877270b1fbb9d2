"""The README says what is so: its commands exist and do what it says, its rooms are there, its queries run."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest

from watcher.cli import COMMANDS, summary
from watcher.memory.database import Database

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_commands_and_what_they_do() -> None:
    said = dict(re.findall(r"^\| `claude-mem ([\w-]+)` \| (.+) \|$", README, re.MULTILINE))
    assert said == {name: summary(name) for name in COMMANDS}


def test_the_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^(\w+):", makefile, re.MULTILINE))
    assert set(re.findall(r"\bmake (\w+)", README)) <= targets


@pytest.mark.parametrize(
    "folder",
    [
        *("watcher/transcript", "watcher/memory", "watcher/agent", "watcher/recall", "watcher/service"),
        *("watcher/privacy", "watcher", "hooks"),
    ],
)
def test_the_rooms_are_those_that_are_there(folder: str) -> None:
    (row,) = re.findall(rf"^\| `{folder}/` \| ([^|]+) \|", README, re.MULTILINE)
    real = {path.stem for path in (ROOT / folder).glob("*.py")} - {"__init__", "__main__"}
    named = set(re.findall(r"`(\w+)`", row))
    if folder == "hooks":
        named |= {"session_start", "user_prompt_submit", "stop", "session_end"}
    assert named == real


def test_its_queries_run(database: Database) -> None:
    (block,) = re.findall(r"```sql\n(.+?)```", README, re.DOTALL)
    connection = sqlite3.connect(database.path)
    for statement in block.strip().splitlines():
        connection.execute(statement)
    connection.close()


def test_every_dependency_is_explained() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (block,) = re.findall(r"^dependencies = \[(.+?)\]", project, re.DOTALL | re.MULTILINE)
    built_with = README.split("## Built with")[1].lower()
    for name in re.findall(r'"([\w-]+)>=', block):
        assert name in built_with
