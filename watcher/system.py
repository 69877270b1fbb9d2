"""Owns what differs from one operating system to another: locks, processes, permissions."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil
from filelock import BaseFileLock, FileLock

WINDOWS = sys.platform == "win32"


def make_private_folder(path: Path) -> None:
    """Create a folder, and its parents, that only its owner can enter (0700)."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not WINDOWS:
        path.chmod(0o700)


def make_private_file(path: Path) -> None:
    """Create an empty file that only its owner can read and write (0600), or narrow one that is there."""
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    os.close(descriptor)
    if not WINDOWS:
        path.chmod(0o600)


def lock(path: Path) -> BaseFileLock:
    """Return a lock on a file, held by the process and gone with it, whatever ends it."""
    return FileLock(path, mode=0o600, is_singleton=False)


def process_is_alive(pid: int, started_before_epoch: int) -> bool:
    """Say whether a process runs that was there at that time (ms); its pid may be another's by now."""
    try:
        process = psutil.Process(pid)
        alive = process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        # A process's start is known to a clock tick; a second is room enough for it.
        return alive and process.create_time() * 1000 <= started_before_epoch + 1000
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


def end_process(pid: int, timeout: float) -> bool:
    """Ask a process to end and wait; False where it still runs after `timeout` seconds."""
    try:
        process = psutil.Process(pid)
        process.terminate()
        process.wait(timeout)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return False
    return True


def start_detached(command: Sequence[str], *, environment: Mapping[str, str], log: Path) -> int:
    """Start a process that outlives this one and its terminal; what it prints goes to the log.

    Returns its pid.
    """
    make_private_file(log)
    with log.open("ab") as sink:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            env=dict(environment),
            cwd=log.parent,
            close_fds=True,
            start_new_session=not WINDOWS,
            creationflags=_DETACHED,
        )
    process.returncode = 0  # It is meant to run on: tell Popen not to warn of that.
    return process.pid


if sys.platform == "win32":
    _DETACHED = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
else:
    _DETACHED = 0
