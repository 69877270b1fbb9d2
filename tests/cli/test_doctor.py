"""`claude-mem doctor` as a user types it: what it prints, for whom, and its exit code."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pexpect
import pytest

from tests.service.watcher_process import WatcherProcess
from watcher.service.diagnosis import chain
from watcher.service.diagnosis.finding import Case, Finding, State

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals and permissions")


@pytest.fixture
def watcher(tmp_path: Path) -> Iterator[WatcherProcess]:
    with WatcherProcess(tmp_path, COLUMNS="100") as made:
        yield made


def installed(watcher: WatcherProcess) -> WatcherProcess:
    watcher.projects.mkdir(parents=True)
    assert watcher.run("install").returncode == 0
    return watcher


def look(watcher: WatcherProcess, link: str) -> Finding:
    """Return what the check of one link finds in the watcher's world."""
    ((finding, *_),) = [check() for name, check in chain.steps(Case(watcher.environment)) if name == link]
    return finding


@pytest.mark.parametrize("command", ["doctor", "retry"])
def test_their_help_has_examples(watcher: WatcherProcess, command: str) -> None:
    assert f"Examples:\n      claude-mem {command}\n" in watcher.run(command, "--help").stdout
    assert command in watcher.run("--help").stdout


def test_where_nothing_is_it_ends_with_1_and_makes_nothing(watcher: WatcherProcess) -> None:
    finished = watcher.run("doctor")
    assert finished.returncode == 1
    assert finished.stderr == ""
    assert "wrong    hooks         none, neither in settings.json nor as a plugin\n" in finished.stdout
    assert f"\n{' ' * 23}Try: claude-mem install\n" in finished.stdout
    assert "3 things wrong, 1 warning\n" in finished.stdout
    assert list(watcher.home.iterdir()) == []


def test_where_all_is_in_place_it_ends_with_0(watcher: WatcherProcess) -> None:
    finished = installed(watcher).run("doctor")
    assert finished.returncode == 0, finished.stdout
    assert finished.stdout.endswith("all is well\n")
    assert "\x1b[" not in finished.stdout
    told = json.loads(watcher.run("doctor", "--json").stdout)
    assert [set(finding) for finding in told] == [{"link", "state", "text", "hint"}] * len(told)
    assert len(told) == finished.stdout.count("\n") - 1


def test_warnings_alone_end_with_0(watcher: WatcherProcess) -> None:
    installed(watcher)
    watcher.projects.rmdir()
    finished = watcher.run("doctor")
    assert finished.returncode == 0
    assert "nothing wrong, 1 warning" in finished.stdout


def test_settings_that_cannot_be_meant_stop_nothing(watcher: WatcherProcess) -> None:
    (installed(watcher).memory / "config.toml").write_text("[agent\n")
    watcher.environment["CLAUDE_MEM_AGENT_CLI_PATH"] = "/gone"
    finished = watcher.run("doctor")
    assert finished.returncode == 1
    assert "wrong    settings" in finished.stdout
    assert "ok       database" in finished.stdout


def test_of_a_watcher_that_runs(watcher: WatcherProcess) -> None:
    installed(watcher).start()
    assert look(watcher, "watcher").text.startswith(f"alive (pid {watcher.pid}")
    assert look(watcher, "variables").text.endswith("the running watcher uses the same")
    watcher.environment["CLAUDE_CONFIG_DIR"] = str(watcher.home / "another")
    found = look(watcher, "variables")
    assert found.state is State.WARNING
    assert f"in {watcher.home / '.claude'}, this command those in {watcher.home / 'another'}" in found.text
    del watcher.environment["CLAUDE_CONFIG_DIR"]
    watcher.environment["CLAUDE_MEM_AGENT_MODEL"] = "opus"
    assert "another value of CLAUDE_MEM_AGENT_MODEL" in look(watcher, "variables").text
    watcher.kill()
    assert look(watcher, "watcher").text.startswith(f"dead (pid {watcher.pid})")
    assert look(watcher, "lock").text.endswith("is free")


@posix
def test_a_projects_folder_that_cannot_be_read(watcher: WatcherProcess) -> None:
    closed = installed(watcher).projects / "-home-dev-api"
    closed.mkdir()
    closed.chmod(0)
    prefix: list[str] = []
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root may read everything, and there is no setpriv to make it like others")
        prefix = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    command = [*prefix, sys.executable, "-m", "watcher", "doctor", "--json"]
    finished = subprocess.run(
        command, env=watcher.environment, cwd=watcher.home, capture_output=True, text=True, timeout=60, check=False
    )
    closed.chmod(0o700)
    assert finished.returncode == 1
    (found,) = [finding for finding in json.loads(finished.stdout) if finding["link"] == "projects"]
    assert found["state"] == "wrong"
    assert found["hint"] == f"chmod u+rx {closed}"


@posix
def test_a_terminal_gets_lines_that_fit(watcher: WatcherProcess) -> None:
    installed(watcher)
    with closing(sqlite3.connect(watcher.memory / "data" / "claude-mem.db")) as connection:
        into = "INSERT INTO broken_lines (path, offset, length, line_hash, head, reason, seen_at_epoch) VALUES "
        connection.execute(into + "('/a.jsonl', 1, 1, '', x'00', 'a reason in more words than a line has', 1)")
        connection.commit()

    def shown(**variables: str) -> str:
        environment = {**watcher.environment, "TERM": "xterm-256color", **variables}
        del environment["COLUMNS"]
        arguments = ["-m", "watcher", "doctor"]
        told: str = pexpect.run(
            f"{sys.executable} {' '.join(arguments)}",
            env=environment,
            cwd=str(watcher.home),
            timeout=60,
            encoding="utf-8",
            dimensions=(24, 80),
        )
        return told

    plain = shown(NO_COLOR="1").splitlines()
    assert any(line.startswith("warning  broken lines") for line in plain)
    assert max(map(len, plain)) <= 80
    assert "\x1b[" not in "".join(plain)
    assert "\x1b[32mok\x1b[0m" in shown()
