"""Owns what differs from one operating system to another: locks and processes; permissions have a room of their own."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from watcher.permissions import make_private_file

if TYPE_CHECKING:
    from filelock import BaseFileLock

WINDOWS = sys.platform == "win32"
LINUX = sys.platform == "linux"


def lock(path: Path) -> BaseFileLock:
    """Return a lock on a file, held by the process and gone with it, whatever ends it."""
    from filelock import FileLock  # slow to import, as psutil is below: only where they are used

    return FileLock(path, mode=0o600, is_singleton=False)


class LockState(StrEnum):
    """What a look at a lock finds."""

    FREE = "free"
    HELD = "held"
    BROKEN = "broken"  # two have it at once: on this file system locks do not work


def look_at_lock(path: Path) -> LockState:
    """Say who has the lock on a file that is there; taken for a moment, and shared, it stops no hook.

    Raises:
        OSError: locks cannot be had there at all, or the file cannot be opened.
    """
    with path.open("r+b") as one, path.open("r+b") as other:
        if not _take(one.fileno(), True):
            return LockState.HELD
        return LockState.BROKEN if _take(other.fileno(), False) else LockState.FREE


def pid_exists(pid: int) -> bool:
    """Say whether a pid is in use; it may be another process's by now.

    psutil asks the same, and takes forty times as long on Linux: this is asked each second of every open session.
    """
    if WINDOWS:
        import psutil

        return psutil.pid_exists(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def process_is_alive(pid: int, started_before_epoch: int) -> bool:
    """Say whether a process runs that was there at that time (ms); its pid may be another's by now."""
    try:
        started = _linux_start(pid) if LINUX else _start(pid)
    except PermissionError:
        return True
    # A process's start is known to a clock tick; a second is room enough for it.
    return started is not None and started <= started_before_epoch + 1000


def _linux_start(pid: int) -> float | None:
    """Return when a process began (ms), None where there is none: psutil asks the same, and takes long to import."""
    try:
        told = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, *numbers = told.rpartition(b")")[2].split()  # behind its name, which may hold anything
    if state in (b"Z", b"X"):
        return None
    booted = next(line for line in Path("/proc/stat").read_bytes().splitlines() if line.startswith(b"btime "))
    return (int(booted.split()[1]) + int(numbers[18]) / os.sysconf("SC_CLK_TCK")) * 1000


def _start(pid: int) -> float | None:
    """Return when a process began (ms), None where there is none."""
    import psutil

    try:
        process = psutil.Process(pid)
        is_alive = process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        return process.create_time() * 1000 if is_alive else None
    except psutil.NoSuchProcess:
        return None
    except psutil.AccessDenied as error:
        raise PermissionError from error


def environment_of(pid: int) -> dict[str, str] | None:
    """Return the variables that a process was started with; None where they cannot be seen."""
    import psutil

    try:
        return psutil.Process(pid).environ()
    except (psutil.Error, OSError):
        return None


def end_process(pid: int, timeout: float) -> bool:
    """Ask a process to end and wait; False where it still runs after `timeout` seconds."""
    import psutil

    try:
        process = psutil.Process(pid)
        process.terminate()
        process.wait(timeout)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return False
    return True


def end_tree(pid: int) -> None:
    """Kill a process that this one has started and not yet waited for, and all below it.

    Waiting for it is left to whoever started it, who alone learns how it ended.
    """
    import psutil

    with suppress(psutil.Error):
        root = psutil.Process(pid)
        for process in [*root.children(recursive=True), root]:
            with suppress(psutil.Error):
                process.kill()


def launcher(path: Path, script: Path) -> Path | None:
    """Write a program that runs a script of the standard library's Python alone, with the arguments it is given.

    For whoever takes a path where a command is needed.

    Returns:
        The program's path, made anew or left as it is; None where it could not be written or run: on Windows, on a
        full disk, or where nothing below that folder may be run.
    """
    if WINDOWS or not sys.executable:
        return None
    text = os.fsencode(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -I -S {shlex.quote(str(script))} "$@"\n')
    try:
        if not path.is_file() or path.read_bytes() != text:
            # Put in its place whole: another process may be starting it.
            fresh = path.with_suffix(f".{uuid.uuid4().hex}")
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o700)
            with open(descriptor, "wb") as file:
                file.write(text)
            fresh.replace(path)
    except OSError:
        return None
    return path if os.access(path, os.X_OK) else None


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


def start_piped(command: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start a process that is spoken to by way of its stdin and stdout, in this one's environment.

    Raises:
        OSError: it cannot be started.
    """
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, creationflags=_WITHOUT_WINDOW)


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a program. `code` is None where it could not be started or was not done in time."""

    code: int | None
    output: str
    problem: str  # the last line that it complained with, or why it did not run


def run(command: Sequence[str], *, timeout: float, environment: Mapping[str, str], folder: Path) -> Ran:
    """Run a program that is to answer at once, with nothing on its stdin; `timeout` is in seconds."""
    try:
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(environment),
            cwd=folder,
        ) as process:
            try:
                output, said = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                end_tree(process.pid)
                return Ran(None, "", f"no answer within {timeout:g} s")
    except OSError as error:
        return Ran(None, "", error.strerror or str(error))
    complaints = said.decode("utf-8", "replace").strip().splitlines()
    return Ran(process.returncode, output.decode("utf-8", "replace"), complaints[-1] if complaints else "")


def watch_limit() -> int | None:
    """Return how many folders may be watched for changes by one user; None where there is no such limit."""
    try:
        return int(Path("/proc/sys/fs/inotify/max_user_watches").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


if sys.platform == "win32":
    import msvcrt

    def _take(descriptor: int, _shared: bool) -> bool:
        """Lock a file's first byte, as filelock does, until it is closed; say whether it worked."""
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _take(descriptor: int, shared: bool) -> bool:
        """Lock a file, as filelock does, until it is closed; say whether it worked."""
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


if sys.platform == "win32":
    _DETACHED = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
    _WITHOUT_WINDOW = subprocess.CREATE_NO_WINDOW
else:
    _DETACHED = _WITHOUT_WINDOW = 0
