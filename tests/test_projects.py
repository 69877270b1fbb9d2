"""One memory for a repository, with the real CLI: in its worktrees, its folders, and after it was moved."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.messages_api import Kind, MessagesAPI, Reply
from tests.service.test_projects import git, make_repository
from tests.world import World, is_about

pytestmark = [
    pytest.mark.cli,
    pytest.mark.skipif(shutil.which("git") is None, reason="git makes the repository that this is about"),
]

FIRST = "Why is the pool exhausted?"
CLOSING = "The marmalade worker never gives its connection back."


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with MessagesAPI(lambda _request: Reply(text=CLOSING)) as api, World(tmp_path, api) as made:
        made.environment["CLAUDE_MEM_AGENT"] = "extractive"
        yield made


def test_a_session_knows_what_was_done_elsewhere_in_its_repository(world: World) -> None:
    make_repository(world.project)
    (world.project / "src").mkdir()
    worktree, moved = world.folder / "fix", world.folder / "moved"
    git(world.project, "worktree", "add", "-q", str(worktree))
    world.say(FIRST)

    for folder in (worktree, world.project / "src"):
        world.say("Go on.", folder=folder)
        assert is_about(world.api.requests_of(Kind.MAIN)[-1], FIRST), folder
    world.wait_for_rows("SELECT DISTINCT project FROM session_summaries", [(str(world.project),)])

    world.project.rename(moved)
    world.say("And on.", folder=moved)
    assert is_about(world.api.requests_of(Kind.MAIN)[-1], FIRST)
    world.wait_for_rows("SELECT DISTINCT project FROM session_summaries", [(str(moved),)])
    world.project.mkdir()


def test_a_folder_of_the_same_name_knows_nothing_of_it(world: World) -> None:
    other = make_repository(world.folder / "other" / "project")
    make_repository(world.project)
    world.say(FIRST)
    world.say("Go on.", folder=other)
    assert not is_about(world.api.requests_of(Kind.MAIN)[-1], FIRST)
