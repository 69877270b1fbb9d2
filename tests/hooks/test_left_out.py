"""Of a session that is left out a hook writes nothing, and tells it nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hooks.conftest import EVENTS, QUIET, World, payload
from watcher.privacy.excluded import Excluded
from watcher.service.admission import is_sdk

SCRIPTS = list(EVENTS)
TABLES = ("flags", "sdk_sessions", "deliveries", "recalls")


def exclude(world: World, *patterns: str) -> None:
    globs = Excluded(patterns, Path("/home/me")).globs
    (world.home / "data" / "excluded").write_text("\n".join(globs), encoding="utf-8")


def is_kept(world: World, script: str, **event: str) -> bool:
    """Run a hook; say whether it wrote anything, or told the session anything."""
    world.put_context("What was done.")
    answer = world.run(script, payload(script, **event))
    rows = [row for table in TABLES for row in world.execute(f"SELECT * FROM {table}")]
    assert (answer == QUIET) is (not rows or script != "session_start.py")
    assert not (world.home / "logs").exists()
    assert not (world.home / "data" / "flags").exists()
    return bool(rows)


@pytest.mark.parametrize("script", SCRIPTS)
def test_in_an_excluded_folder(watched: World, script: str) -> None:
    exclude(watched, "/srv/**", "~/[a]pi/*", "~/a*")
    assert not is_kept(watched, script)


@pytest.mark.parametrize("script", SCRIPTS)
def test_elsewhere_it_does_what_it_always_does(watched: World, script: str) -> None:
    exclude(watched, "~/clients/**", "**/ap", "~/[a]pi")
    assert is_kept(watched, script)


def test_it_starts_no_watcher_there(memory: World) -> None:
    memory.name_launcher(memory.install_launcher(memory.home / "launcher", ""))
    exclude(memory, "/home/me")
    for script in SCRIPTS:
        assert memory.run(script) == QUIET
    assert not (memory.home / "data" / "watcher.starting").exists()


def test_the_folder_that_the_session_was_started_in_decides(watched: World) -> None:
    exclude(watched, "/home/me/api")
    watched.extra["CLAUDE_PROJECT_DIR"] = "/home/me/web"
    assert is_kept(watched, "stop.py")
    watched.extra["CLAUDE_PROJECT_DIR"] = "/home/me/api/deeper/"
    assert watched.run("session_end.py", payload("session_end.py", cwd="/home/me/web")) == QUIET
    assert len(watched.execute("SELECT * FROM flags")) == 1


def test_a_link_leads_into_it(watched: World, tmp_path: Path) -> None:
    (tmp_path / "clients" / "acme").mkdir(parents=True)
    (tmp_path / "work").symlink_to(tmp_path / "clients")
    exclude(watched, f"{tmp_path}/clients/**")
    watched.extra["CLAUDE_PROJECT_DIR"] = str(tmp_path / "work" / "acme")
    assert not is_kept(watched, "stop.py")


@pytest.mark.parametrize(
    ("pattern", "folder"),
    [
        ("/home/me/api", "/home/me/api/x/y"),
        ("/home/m?/*", "/home/me/api"),
        ("/home/m?/*", "/home/mee/api"),
        ("**/api", "C:\\home\\api"),
        ("/home/me/ap", "/home/me/api"),
        ("~", "/home/me"),
        ("*", "/home/me"),
        ("/home/me/[a]pi", "/home/me/api"),
        ("/home/me/[a]pi", "/home/me/[a]pi"),
    ],
)
def test_the_watcher_decides_the_same(watched: World, pattern: str, folder: str) -> None:
    exclude(watched, pattern)
    watched.extra["CLAUDE_PROJECT_DIR"] = folder
    assert is_kept(watched, "stop.py") is not Excluded([pattern], Path("/home/me")).holds(folder)


@pytest.mark.parametrize("entrypoint", ["cli", "sdk-cli", "claude-vscode", "sdk-py", "sdk-ts", "sdk-x", ""])
def test_another_programs_session(watched: World, entrypoint: str) -> None:
    watched.extra["CLAUDE_CODE_ENTRYPOINT"] = entrypoint
    assert is_kept(watched, "stop.py") is not is_sdk(entrypoint)


@pytest.mark.parametrize("script", SCRIPTS)
def test_another_programs_session_where_the_settings_take_it_in(watched: World, script: str) -> None:
    watched.extra["CLAUDE_CODE_ENTRYPOINT"] = "sdk-py"
    assert not is_kept(watched, script)
    (watched.home / "data" / "sdk-sessions").write_text("1\n")
    assert is_kept(watched, script)
