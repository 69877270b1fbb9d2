"""What the operating system is asked: whether a process lives, in the system's own way and in psutil's."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.claude_cli import wait_until
from watcher import system

ANY_TIME = 10**14  # milliseconds, in some thousand years


@pytest.fixture(params=["its own", "psutil"])
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "psutil":
        monkeypatch.setattr(system, "LINUX", False)


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


@pytest.mark.usefixtures("_way")
def test_a_process_that_lives(child: subprocess.Popen[bytes]) -> None:
    now = round(time.time() * 1000)
    assert system.process_is_alive(child.pid, now)
    assert system.process_is_alive(os.getpid(), ANY_TIME)


@pytest.mark.usefixtures("_way")
def test_a_process_that_began_later_is_another(child: subprocess.Popen[bytes]) -> None:
    assert not system.process_is_alive(child.pid, round(time.time() * 1000) - 60_000)


@pytest.mark.usefixtures("_way")
def test_a_process_that_has_ended(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    wait_until(lambda: not system.process_is_alive(child.pid, ANY_TIME))  # a zombie, which nobody has waited for
    child.wait()
    assert not system.process_is_alive(child.pid, ANY_TIME)


@pytest.mark.skipif(not system.LINUX, reason="only Linux has /proc")
def test_a_process_with_a_name_like_the_columns_behind_it(tmp_path: Path) -> None:
    named = tmp_path / "x) R 1 (2"
    named.symlink_to(sys.executable)
    with subprocess.Popen([named, "-c", "input()"], stdin=subprocess.PIPE) as process:
        wait_until(lambda: b"x) R 1 (2" in Path(f"/proc/{process.pid}/stat").read_bytes())
        assert system.process_is_alive(process.pid, round(time.time() * 1000))
        assert not system.process_is_alive(process.pid, round(time.time() * 1000) - 60_000)
        process.kill()
