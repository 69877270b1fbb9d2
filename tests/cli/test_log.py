"""The log of a watcher in the background: one file that never grows for ever, and one older one."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.claude_cli import wait_until
from tests.service.test_watch import since_now
from tests.service.watcher_process import WatcherProcess
from tests.transcript import lines

ROOT = Path(__file__).parent.parent.parent
LIMIT = 2000  # bytes
SESSION = "aaaaaaaa-0000-4000-8000-00000000"


@pytest.fixture
def watcher(tmp_path: Path) -> Iterator[WatcherProcess]:
    with WatcherProcess(tmp_path, CLAUDE_MEM_RETENTION_LOG_SIZE=str(LIMIT / 1_000_000)) as process:
        process.projects.mkdir(parents=True)
        yield process
        for pid, stopped_at, _ in process.runs():
            with suppress(psutil.NoSuchProcess):
                if stopped_at is None:
                    background = psutil.Process(pid)
                    background.kill()
                    background.wait(timeout=20)


def log(watcher: WatcherProcess, ending: str = "") -> Path:
    return watcher.memory / "logs" / f"watcher.log{ending}"


def long_line(number: int) -> bytes:
    return lines.line(since_now(0), type="user", message=f"torn {number}")[:-2] + b"\n"


def read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def test_a_log_in_the_background_is_rotated_while_its_watcher_runs(watcher: WatcherProcess) -> None:
    watcher.run("watch", "--background")
    rotations = written = 0
    while rotations < 3:
        before = read(log(watcher, ".1"))
        watcher.write(long_line(written), session=f"{SESSION}{written:04}")
        written += 1
        last = f"{SESSION}{written - 1:04}.jsonl at byte"
        wait_until(lambda last=last: last in read(log(watcher)))  # type: ignore[misc]
        assert log(watcher).stat().st_size < LIMIT + 1000
        rotations += read(log(watcher, ".1")) != before
        assert written < 100
    aside = read(log(watcher, ".1"))
    assert LIMIT < len(aside) < LIMIT + 1000
    assert "\0" not in aside + read(log(watcher))
    told = [line for text in (aside, read(log(watcher))) for line in text.splitlines()]
    numbers = [int(line.split(SESSION)[1][:4]) for line in told if SESSION in line]
    assert numbers == list(range(numbers[0], written))  # not one is lost or cut where the log was emptied
    assert sorted(path.name for path in log(watcher).parent.iterdir()) == ["watcher.log", "watcher.log.1"]


def test_a_log_that_is_too_long_already_is_put_aside_at_the_start(watcher: WatcherProcess) -> None:
    log(watcher).parent.mkdir(parents=True)
    log(watcher).write_bytes(b"old\n" * LIMIT)
    watcher.run("watch", "--background")
    assert "watching" in read(log(watcher))
    assert "old" not in read(log(watcher))
    assert read(log(watcher, ".1")) == "old\n" * (2 * LIMIT // len("old\n"))
    if sys.platform != "win32":
        assert stat.S_IMODE(log(watcher, ".1").stat().st_mode) == 0o600


def test_without_a_limit_the_log_is_left_alone(watcher: WatcherProcess) -> None:
    watcher.environment["CLAUDE_MEM_RETENTION_LOG_SIZE"] = "0"
    log(watcher).parent.mkdir(parents=True)
    log(watcher).write_bytes(b"old\n" * LIMIT)
    watcher.run("watch", "--background")
    assert read(log(watcher)).startswith("old")
    assert not log(watcher, ".1").exists()


def test_an_output_that_is_not_the_log_is_left_alone(watcher: WatcherProcess) -> None:
    watcher.output.write_bytes(b"mine\n" * LIMIT)
    watcher.start()
    wait_until(lambda: "watching" in watcher.output.read_text())
    assert watcher.output.read_text().startswith("mine")


def test_a_log_that_was_not_opened_for_appending_gets_no_hole(watcher: WatcherProcess) -> None:
    log(watcher).parent.mkdir(parents=True)
    with log(watcher).open("wb") as out:
        out.write(b"old\n" * LIMIT)
        out.flush()
        command = [sys.executable, "-m", "watcher", "watch"]
        process = subprocess.Popen(command, env=watcher.environment, cwd=watcher.home, stdout=out, stderr=out)
    try:
        wait_until(lambda: "watching" in read(log(watcher)))
    finally:
        process.kill()
        process.wait()
    assert "\0" not in read(log(watcher))


def test_a_hook_puts_a_log_aside_to_which_no_watcher_of_its_own_came(watcher: WatcherProcess) -> None:
    watcher.environment["CLAUDE_MEM_RETENTION_LOG_SIZE"] = "0"
    log(watcher).parent.mkdir(parents=True)
    log(watcher).write_bytes(b"Traceback\n" * 150_000)
    launcher = watcher.memory / "data" / "launcher"
    launcher.parent.mkdir()
    launcher.write_text(f"{sys.executable}\n")
    event = {"session_id": SESSION, "cwd": str(watcher.home), "hook_event_name": "UserPromptSubmit"}
    script = ROOT / "hooks" / "user_prompt_submit.py"
    subprocess.run(
        [sys.executable, "-I", "-S", script], env=watcher.environment, input=json.dumps(event).encode(), check=True
    )
    wait_until(lambda: "watching" in read(log(watcher)))
    assert "Traceback" not in read(log(watcher))
    assert log(watcher, ".1").read_bytes() == b"Traceback\n" * 100_000
    assert "watcher.log" not in read(watcher.memory / "logs" / "hooks.log")
