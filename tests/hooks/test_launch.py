"""A watcher is started when none runs: once, detached, by the best Python there is."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import psutil
import pytest

from tests.hooks.conftest import QUIET, TIMEOUT, World, epoch

SCRIPT = "user_prompt_submit.py"
ARGUMENTS = "-P -m watcher watch --until-idle"
SCRIPTS = [SCRIPT, "session_start.py"]


@pytest.fixture
def quick(world: World) -> World:
    """A world in which SessionStart does not wait for the memory that no watcher here creates."""
    world.edit("session_start.py", "WAIT = 2.0", "WAIT = 0.0")
    return world


def in_plugin(world: World) -> Path:
    return world.plugin / ".venv" / "bin" / "python"


def installed(world: World) -> Path:
    return world.user_home / "venv" / "bin" / "python"


def on_path(world: World) -> Path:
    world.extra["PATH"] = f"relative{os.pathsep}{world.user_home / 'bin'}{os.pathsep}{os.defpath}"
    return world.user_home / "bin" / "claude-mem"


@pytest.mark.parametrize("script", SCRIPTS)
def test_running_watcher_is_left_alone(watched: World, script: str) -> None:
    watched.name_launcher(watched.install_launcher(installed(watched), ""))
    watched.run(script)
    assert not (watched.home / "data" / "watcher.starting").exists()


@pytest.mark.parametrize("script", SCRIPTS)
def test_lock_file_that_nobody_holds_is_no_watcher(quick: World, script: str) -> None:
    with quick.running_watcher():
        pass
    assert (quick.home / "data" / "watcher.lock").exists()
    quick.name_launcher(quick.install_launcher(installed(quick), ""))
    quick.run(script)
    quick.wait_started()


def test_look_at_the_lock_leaves_it_free(watched: World) -> None:
    watched.run(SCRIPT)
    world = watched
    world.extra["CLAUDE_MEM_HOME"] = str(world.user_home / "other")
    world.home = world.user_home / "other"
    with world.running_watcher():
        world.run(SCRIPT)
    with world.running_watcher():
        pass


@pytest.mark.skipif(os.name == "nt", reason="there the user's profile keeps others out")
def test_what_others_can_write_says_not_what_is_run(quick: World) -> None:
    quick.name_launcher(quick.install_launcher(installed(quick), ""))
    (quick.home / "data" / "launcher").chmod(0o666)
    quick.install_launcher(on_path(quick), "")
    quick.run(SCRIPT)
    assert quick.wait_started()[0] == f"{on_path(quick)} {ARGUMENTS.removeprefix('-P -m watcher ')}"


def test_plugins_own_python_comes_first(quick: World) -> None:
    quick.install_launcher(in_plugin(quick), "")
    quick.name_launcher(quick.install_launcher(installed(quick), ""))
    quick.install_launcher(on_path(quick), "")
    quick.run(SCRIPT)
    assert quick.wait_started()[0] == f"{in_plugin(quick)} {ARGUMENTS}"


def test_installed_python_comes_second(quick: World) -> None:
    quick.name_launcher(quick.install_launcher(installed(quick), ""))
    quick.install_launcher(on_path(quick), "")
    quick.run(SCRIPT)
    assert quick.wait_started()[0] == f"{installed(quick)} {ARGUMENTS}"


@pytest.mark.parametrize("launcher", [None, "gone", "directory", "empty"])
def test_program_on_the_path_comes_last(quick: World, launcher: str | None) -> None:
    if launcher:
        quick.name_launcher(quick.user_home if launcher == "directory" else Path("/no/such/python"))
    if launcher == "empty":
        (quick.home / "data" / "launcher").write_bytes(b"")
    quick.install_launcher(on_path(quick), "")
    quick.run(SCRIPT)
    assert quick.wait_started()[0] == f"{on_path(quick)} watch --until-idle"


def test_program_in_a_relative_folder_is_never_run(quick: World) -> None:
    quick.extra["PATH"] = f".{os.pathsep}bin{os.pathsep}{os.defpath}"
    quick.install_launcher(quick.user_home / "bin" / "claude-mem", "")
    quick.install_launcher(quick.user_home / "claude-mem", "")
    quick.run(SCRIPT)
    assert "no watcher can be started" in quick.log


@pytest.mark.parametrize("script", SCRIPTS)
def test_none_installed_is_logged(watched: World, script: str) -> None:
    watched.home = watched.user_home / "empty"
    watched.create_database()
    assert watched.run(script) == QUIET
    assert "claude-mem is not installed; run: claude-mem install" in watched.log
    assert len(watched.log.splitlines()) == 1


def test_python_that_does_not_run_is_passed_over(quick: World) -> None:
    in_plugin(quick).parent.mkdir(parents=True)
    in_plugin(quick).write_text("no program", encoding="utf-8")
    quick.name_launcher(quick.install_launcher(installed(quick), ""))
    assert quick.run(SCRIPT) == QUIET
    assert quick.wait_started()[0].startswith(str(installed(quick)))
    assert "PermissionError" in quick.log


def test_watcher_is_its_own_master(quick: World) -> None:
    """It outlives the hook, in a session of its own, in the home, its output in the log."""
    quick.extra |= {"PYTHONPATH": "/project/src", "PYTHONHOME": "/nowhere", "KEPT": "1"}
    script = 'echo said; echo "complained $$" >&2; exec sleep 60'
    quick.install_launcher(on_path(quick), script)
    assert quick.run(SCRIPT) == QUIET
    _, folder, *environment = quick.wait_started()
    assert folder == str(quick.home)
    assert {"KEPT=1", f"CLAUDE_MEM_HOME={quick.home}"} <= set(environment)
    assert not [line for line in environment if line.startswith(("PYTHONPATH", "PYTHONHOME"))]
    log = quick.home / "logs" / "watcher.log"
    deadline = time.monotonic() + TIMEOUT
    while "complained" not in log.read_text() and time.monotonic() < deadline:
        time.sleep(0.02)
    said, complained = log.read_text().splitlines()
    process = psutil.Process(int(complained.split()[1]))
    try:
        assert said == "said"
        assert os.getsid(process.pid) == process.pid
        assert stat.S_IMODE(log.stat().st_mode) == 0o600
        assert stat.S_IMODE((quick.home / "data").stat().st_mode) == 0o700
    finally:
        process.kill()


def test_relative_home_is_the_same_for_the_watcher(quick: World) -> None:
    quick.extra["CLAUDE_MEM_HOME"] = "memory"
    quick.home = quick.user_home / "memory"
    quick.name_launcher(quick.install_launcher(installed(quick), ""))
    quick.run(SCRIPT)
    assert f"CLAUDE_MEM_HOME={quick.home}" in quick.wait_started()


def counting(world: World) -> Path:
    """Install a launcher that counts its starts in a file."""
    count = world.user_home / "count"
    world.name_launcher(world.install_launcher(installed(world), f"echo x >> '{count}'"))
    return count


def starts(count: Path) -> int:
    deadline = time.monotonic() + TIMEOUT
    while not count.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.3)  # for one too many to show
    return len(count.read_text().splitlines())


def test_many_hooks_at_once_start_one(quick: World) -> None:
    count = counting(quick)
    event = b'{"session_id": "s-1", "source": "clear"}'
    for _ in range(3):
        quick.run_both("session_start.py", event)
    quick.run(SCRIPT)
    assert starts(count) == 1


@pytest.mark.parametrize("age", [60, -60], ids=["old", "of-the-future"])
def test_start_that_failed_is_tried_again_later(quick: World, age: int) -> None:
    count = counting(quick)
    quick.run(SCRIPT)
    assert starts(count) == 1
    then = epoch() / 1000 - age
    os.utime(quick.home / "data" / "watcher.starting", (then, then))
    quick.run(SCRIPT)
    quick.run(SCRIPT)
    assert starts(count) == 2
