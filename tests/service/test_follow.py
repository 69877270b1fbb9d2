from __future__ import annotations

import os
from pathlib import Path

import pytest

from watcher.service.follow import Rescan, is_transcript, subagents_of


@pytest.fixture
def projects(tmp_path: Path) -> Path:
    folder = tmp_path / "projects"
    (folder / "-api").mkdir(parents=True)
    return folder


def write(path: Path, at: int, text: str = "x\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (at, at))
    return path


def names(paths: object) -> list[str]:
    return [path.name for path in paths]  # type: ignore[attr-defined]


def test_what_is_a_transcript(projects: Path) -> None:
    for yes in ("-api/s.jsonl", "-api/s/subagents/agent-1.jsonl", "-api/s/subagents/workflows/w/agent-2.jsonl"):
        assert is_transcript(projects / yes, projects)
    for no in (
        "s.jsonl",
        "-api/s.json",
        "-api/s/tool-results/export.jsonl",
        "-api/memory/data.jsonl",
        "-api/s/subagents/journal.jsonl",
        "../elsewhere.jsonl",
    ):
        assert not is_transcript((projects / no).resolve(), projects)


def test_each_change_is_handed_out_once(projects: Path) -> None:
    path = write(projects / "-api" / "s.jsonl", 1000)
    rescan = Rescan(projects, since=0, reached={})
    assert names(rescan.discover()) == ["s.jsonl"]
    assert names(rescan.discover()) == []
    assert names(rescan.changed([path])) == []
    write(path, 1001, "x\ny\n")
    assert names(rescan.changed([path, projects / "missing.jsonl"])) == ["s.jsonl"]


def test_the_oldest_come_first_and_subagents_last(projects: Path) -> None:
    write(projects / "-api" / "new.jsonl", 3000)
    write(projects / "-api" / "old.jsonl", 2000)
    write(projects / "-api" / "old" / "subagents" / "agent-1.jsonl", 1000)
    assert names(Rescan(projects, since=0, reached={}).discover()) == ["old.jsonl", "new.jsonl", "agent-1.jsonl"]


def test_what_is_taken_in_to_its_end_has_nothing_new(projects: Path) -> None:
    whole, partly = (write(projects / "-api" / name, 1000, "four\n") for name in ("whole.jsonl", "partly.jsonl"))
    reached = {str(whole): (5, 1_000_001), str(partly): (2, 1_000_001)}
    assert names(Rescan(projects, since=0, reached=reached).discover()) == ["partly.jsonl"]


def test_what_was_rewritten_to_the_same_size_while_nobody_looked_is_read(projects: Path) -> None:
    path = write(projects / "-api" / "s.jsonl", 1000, "four\n")
    reached = {str(path): (5, 999_999)}
    assert names(Rescan(projects, since=0, reached=reached).discover()) == ["s.jsonl"]


def test_what_is_older_than_the_memory_comes_when_it_changes(projects: Path) -> None:
    old = write(projects / "-api" / "old.jsonl", 1000)
    rescan = Rescan(projects, since=2_000_000, reached={})
    assert names(rescan.discover()) == []
    write(old, 3000, "x\ny\n")
    assert names(rescan.discover()) == ["old.jsonl"]


def test_what_could_not_be_taken_in_is_handed_out_again(projects: Path) -> None:
    for name in ("a.jsonl", "b.jsonl", "c.jsonl"):
        write(projects / "-api" / name, 1000)
    rescan = Rescan(projects, since=0, reached={})
    handed_out = rescan.discover()
    rescan.forget(next(handed_out))  # and the others are never asked for
    handed_out.close()
    assert names(rescan.discover()) == ["a.jsonl", "b.jsonl", "c.jsonl"]


def test_a_link_to_nowhere_is_passed_over(projects: Path) -> None:
    (projects / "-api" / "gone.jsonl").symlink_to(projects / "nowhere")
    write(projects / "-api" / "s.jsonl", 1000)
    assert names(Rescan(projects, since=0, reached={}).discover()) == ["s.jsonl"]


def test_subagents_of_a_session(projects: Path) -> None:
    transcript = write(projects / "-api" / "s.jsonl", 1000)
    assert subagents_of(transcript) == []
    side = write(projects / "-api" / "s" / "subagents" / "agent-1.jsonl", 1000)
    write(projects / "-api" / "s" / "subagents" / "journal.jsonl", 1000)
    assert subagents_of(transcript) == [side]
