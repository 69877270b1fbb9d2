"""What events do not tell, the rescan finds, and status says that it is so: with a real watcher."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.watcher_process import WatcherProcess
from tests.transcript import lines
from watcher.settings import WatchSettings

A = "aaaaaaaa-0000-4000-8000-000000000000"
HOLD_PERMISSIONS = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]  # root would read anything


def since_now(at: int) -> int:
    """Return a time for `lines`, `at` milliseconds from now: what is older than the memory is left alone."""
    return int(time.time() * 1000) - lines.BEGIN + at


@pytest.fixture
def watcher(tmp_path: Path) -> Iterator[WatcherProcess]:
    with WatcherProcess(tmp_path) as process:
        process.environment["CLAUDE_MEM_WATCH_DISCOVER_INTERVAL"] = "0.3"
        yield process


def limited(**limits: int) -> list[str]:
    """Return what runs a program in a namespace with limits of its own on inotify."""
    writes = "; ".join(f"echo {value} > /proc/sys/user/max_inotify_{name}" for name, value in limits.items())
    prefix = ["unshare", "--user", "--map-root-user", "sh", "-c", f'{writes}; exec "$@"', "sh"]
    if (
        sys.platform != "linux"
        or shutil.which("unshare") is None
        or subprocess.run([*prefix, "true"], check=False).returncode
    ):
        pytest.skip("limits on inotify are set in a Linux user namespace, which may not be made here")
    return prefix


def condition(watcher: WatcherProcess, name: str) -> list[tuple[object, ...]]:
    return watcher.rows(f"SELECT state FROM conditions WHERE name = '{name}'")


@pytest.mark.parametrize("limits", [{"watches": 3}, {"instances": 0}], ids=["watches", "instances"])
def test_at_the_limit_of_inotify_the_rescan_finds_all(watcher: WatcherProcess, limits: dict[str, int]) -> None:
    watcher.prefix = limited(**limits)
    for number in range(20):
        watcher.write(
            lines.prompt(since_now(0), "Before", f"b-{number}"), session=f"before-{number}", project=f"-p-{number}"
        )
    watcher.start()
    for number in range(20):
        watcher.write(
            lines.prompt(since_now(1), "After", f"a-{number}"), session=f"after-{number}", project=f"-p-{number}"
        )
    query = "SELECT prompt_text, count(*) FROM user_prompts GROUP BY 1 ORDER BY 1"
    watcher.wait_for_rows(query, [("After", 20), ("Before", 20)])
    watcher.wait_for_rows("SELECT name, state FROM conditions", [("watching", "polling")])
    assert "looking by turns" in watcher.output.read_text()
    assert "polling" in watcher.run("status").stdout


def test_when_the_queue_of_events_overflows_the_rescan_finds_all(watcher: WatcherProcess) -> None:
    watcher.projects.mkdir(parents=True)
    watcher.start()
    os.kill(watcher.pid, signal.SIGSTOP)
    queue = Path("/proc/sys/fs/inotify/max_queued_events")
    noise = int(queue.read_text()) if queue.exists() else 16_384
    folders = [watcher.projects / f"-p-{number}" for number in range(4)]
    for folder in folders:
        folder.mkdir()
    useless = lines.line(since_now(0), type="mode")
    for number in range(noise // 2):  # each makes two events and more
        with (folders[number % 4] / f"{number % 64}.jsonl").open("ab") as file:
            file.write(useless)
    watcher.write(lines.prompt(since_now(1), "Unheard"), session=A, project="-late")
    os.kill(watcher.pid, signal.SIGCONT)
    watcher.wait_for_rows("SELECT prompt_text FROM user_prompts", [("Unheard",)])
    watcher.wait_for_rows("SELECT sum(lines_skipped) FROM checkpoints", [(noise // 2,)])


def test_a_thousand_sessions_in_two_hundred_folders(watcher: WatcherProcess) -> None:
    def write(first: int, last: int) -> None:
        for number in range(first, last):
            tool = f"tool-{number}"
            content = [lines.prompt(since_now(0), "Go", uuid=f"p-{number}"), lines.tool_use(since_now(1), tool)]
            watcher.write(*content, session=f"session-{number}", project=f"-p-{number % 200}")

    write(0, 500)
    watcher.start()
    write(500, 1000)
    watcher.wait_for_rows("SELECT count(DISTINCT session_id), count(*) FROM tool_uses", [(1000, 1000)])
    assert watcher.rows("SELECT count(DISTINCT session_id), count(*) FROM user_prompts") == [(1000, 1000)]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
@pytest.mark.parametrize("what", ["file", "folder"])
def test_permissions_withdrawn_and_restored(watcher: WatcherProcess, what: str) -> None:
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root may read anything, and there is no setpriv to take that from it")
        watcher.prefix = HOLD_PERMISSIONS
    transcript = watcher.write(lines.prompt(since_now(0), "One"), session=A)
    watcher.start()
    watcher.wait_for_rows("SELECT prompt_text FROM user_prompts", [("One",)])
    closed = transcript if what == "file" else transcript.parent
    mode = closed.stat().st_mode
    watcher.write(lines.prompt(since_now(1), "Two"), session=A)
    closed.chmod(0)
    watcher.wait_for_rows("SELECT state FROM conditions WHERE name = 'transcripts'", [("unreadable",)])
    told = watcher.output.read_text().count("cannot read")
    closed.chmod(mode)
    watcher.wait_for_rows("SELECT prompt_text FROM user_prompts ORDER BY id", [("One",), ("Two",)])
    watcher.wait_for_rows("SELECT state FROM conditions WHERE name = 'transcripts'", [])
    assert told <= 1  # not once a second


def test_the_projects_folder_comes_and_goes(watcher: WatcherProcess) -> None:
    watcher.start()
    for number in range(3):
        watcher.write(lines.prompt(since_now(number), f"Number {number}"), session=f"session-{number}")
        watcher.wait_for_rows("SELECT count(*) FROM user_prompts", [(number + 1,)])
        shutil.rmtree(watcher.projects)
    assert watcher.is_alive()


def test_without_trouble_none_is_told(watcher: WatcherProcess) -> None:
    watcher.projects.mkdir(parents=True)
    watcher.start()
    for number in range(3):
        watcher.write(lines.turn(since_now(number), number), session=A)
        watcher.wait_for_rows("SELECT count(*) FROM session_summaries", [(number + 1,)])
    assert watcher.rows("SELECT * FROM conditions") == []
    assert "  trouble  " not in watcher.output.read_text()
    assert WatchSettings().discover_interval > 5  # rare where events tell
