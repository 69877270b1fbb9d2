"""Owns seeing to it that a watcher runs: looking for one, and starting one that outlives the session.

The watcher holds an operating-system lock on a file for as long as it lives, whatever ends it.
"""

import os
import time

import hook

STARTING = 10.0  # seconds in which a watcher that was started is not started again
WITHOUT_LOCKS = 600.0  # seconds in which none is started again where locks do not work
ARGUMENTS = ["watch", "--until-idle"]
_MARK = os.O_RDWR | os.O_CREAT | hook.NO_FOLLOW


class NoLocksError(OSError):
    """Locks do not work where the memory is: any number of watchers would run, or none that could."""


def ensure_watcher(name: str) -> bool:
    """Say whether a watcher runs, or is being started now."""
    try:
        return _ensure_watcher(name)
    except NoLocksError as error:
        # Also written by a watcher that leaves for this reason.
        marker = os.open(os.path.join(hook.folder("data"), "locks.failed"), _MARK, 0o600)
        if not _is_fresh(os.fstat(marker), WITHOUT_LOCKS):
            os.write(marker, b"failed\n")
            hook.log(name, f"no watcher is started: {error}; try: claude-mem watch")
        os.close(marker)
        return False


def _ensure_watcher(name: str) -> bool:
    if _is_locked(os.path.join(hook.home(), "data", "watcher.lock")):
        return True
    if _locks_failed():
        return False
    found = commands(ARGUMENTS)
    if not found:
        hook.log(name, "no watcher can be started: claude-mem is not installed; run: claude-mem install")
        return False
    marker = os.open(os.path.join(hook.folder("data"), "watcher.starting"), _MARK, 0o600)
    try:
        if not _lock(marker, shared=False):
            return True  # another hook is starting one at this moment
        # A watcher empties it when it runs: once that is killed, the next need not wait.
        if _is_fresh(os.fstat(marker), STARTING):
            return True
        os.lseek(marker, 0, os.SEEK_SET)
        os.write(marker, b"starting\n")
        return any(hook.attempt(name, _start, command) for command in found)
    finally:
        os.close(marker)


def _is_fresh(status: os.stat_result, seconds: float) -> bool:
    """Say whether a marker was written within some seconds."""
    return bool(status.st_size) and 0 <= time.time() - status.st_mtime < seconds


def _locks_failed() -> bool:
    """Say whether locks did not work a while ago."""
    try:
        return _is_fresh(os.stat(os.path.join(hook.home(), "data", "locks.failed")), WITHOUT_LOCKS)
    except OSError:
        return False


def _is_locked(path: str) -> bool:
    """Say whether a process holds the lock on a file; the look itself takes it for a moment, and shared."""
    try:
        descriptor = os.open(path, os.O_RDWR | hook.NO_FOLLOW)
    except OSError:
        return False
    try:
        return not _lock(descriptor, shared=True)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, shared: bool) -> bool:
    """Take the lock that filelock takes, flock on POSIX and the file's first byte on Windows; say whether it worked.

    It is given back when the file is closed.
    """
    if os.name == "nt":
        import msvcrt

        # Closing a file gives its locks back there too, but only in the system's own time.
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        if shared:
            msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
        return True
    import fcntl

    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # some file systems say the latter of a lock that another holds
        return False
    except OSError as error:
        raise NoLocksError(f"locks do not work in {hook.home()} ({error})") from error
    return True


def commands(arguments: list) -> list:
    """Return the ways to run claude-mem with some arguments here, the best first."""
    found = []
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    pythons = [os.path.join(root, ".venv", *(("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")))]
    named = os.path.join(hook.home(), "data", "launcher")
    try:
        if hook.is_ours(named):  # it says what is run: a file that others can write is worth no folder that they cannot
            with open(named, "rb") as launcher:
                pythons.append(os.fsdecode(launcher.readline().strip()))
    except OSError:
        pass
    found += [[python, "-P", "-m", "watcher", *arguments] for python in pythons if os.path.isfile(python)]
    programs = ("claude-mem.exe", "claude-mem.cmd") if os.name == "nt" else ("claude-mem",)
    for path in os.get_exec_path():
        # A relative entry would mean another folder in every project, and a program that nobody installed.
        for program in (os.path.join(path, name) for name in programs if os.path.isabs(path)):
            if os.path.isfile(program) and os.access(program, os.X_OK):
                found.append([program, *arguments])
    return found


def environment() -> dict:
    """Return the variables that claude-mem is run with: the user's projects may set some for their own Python."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}


def _start(command: list) -> bool:
    """Start a watcher that no signal to this session, and no end of it, reaches."""
    import subprocess

    home = hook.home()
    variables = environment()
    if variables.get("CLAUDE_MEM_HOME"):
        variables["CLAUDE_MEM_HOME"] = home  # it may be relative, and the watcher works in another folder
    if variables.get("CLAUDE_CONFIG_DIR"):
        variables["CLAUDE_CONFIG_DIR"] = os.path.abspath(os.path.expanduser(variables["CLAUDE_CONFIG_DIR"]))
    flags = 0
    if os.name == "nt":
        flags = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    log = _log()
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=variables,
            cwd=home,
            start_new_session=True,
            creationflags=flags,
        )
    finally:
        os.close(log)
    process.returncode = 0  # It is meant to run on: tell Popen not to warn of that.
    return True


def _log() -> int:
    """Open the watcher's log, emptied where it is too long: a watcher that never gets to its first line adds to it."""
    path = os.path.join(hook.folder("logs"), "watcher.log")
    log = hook.open_log(path)
    if os.fstat(log).st_size > hook.MAX_LOG:
        hook.attempt("watcher.log", _put_aside, path)
        os.ftruncate(log, 0)
    return log


def _put_aside(path: str) -> None:
    """Copy the end of a log: it is never renamed, since a watcher may have it open, and go on writing to it."""
    with open(path, "rb") as whole:
        whole.seek(-hook.MAX_LOG, os.SEEK_END)
        end = whole.read()
    aside = os.open(path + ".1", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | hook.NO_FOLLOW, 0o600)
    try:
        os.write(aside, end)
    finally:
        os.close(aside)
