"""Owns seeing to it that a watcher runs: looking for one, and starting one that outlives the session.

The watcher holds an operating-system lock on a file for as long as it lives, whatever ends it.
"""

import os
import time

import hook

STARTING = 10.0  # seconds in which a watcher that was started is not started again
ARGUMENTS = ["watch", "--until-idle"]


def ensure_watcher(name: str) -> bool:
    """Say whether a watcher runs, or is being started now."""
    if _is_locked(os.path.join(hook.home(), "data", "watcher.lock")):
        return True
    commands = _commands()
    if not commands:
        hook.log(name, "no watcher can be started: claude-mem is not installed; run: claude-mem install")
        return False
    marker = os.open(os.path.join(hook.folder("data"), "watcher.starting"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not _lock(marker, shared=False):
            return True  # another hook is starting one at this moment
        status = os.fstat(marker)
        if status.st_size and 0 <= time.time() - status.st_mtime < STARTING:
            return True
        os.lseek(marker, 0, os.SEEK_SET)
        os.write(marker, b"starting\n")
        return any(hook.attempt(name, _start, command) for command in commands)
    finally:
        os.close(marker)


def _is_locked(path: str) -> bool:
    """Say whether a process holds the lock on a file; the look itself takes it for a moment, and shared."""
    try:
        descriptor = os.open(path, os.O_RDWR)
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
    except BlockingIOError:
        return False
    return True


def _commands() -> list:
    """Return the ways to start a watcher here, the best first."""
    commands = []
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    pythons = [os.path.join(root, ".venv", *(("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")))]
    try:
        with open(os.path.join(hook.home(), "data", "launcher"), "rb") as launcher:
            pythons.append(os.fsdecode(launcher.readline().strip()))
    except OSError:
        pass
    commands += [[python, "-P", "-m", "watcher", *ARGUMENTS] for python in pythons if os.path.isfile(python)]
    programs = ("claude-mem.exe", "claude-mem.cmd") if os.name == "nt" else ("claude-mem",)
    for path in os.get_exec_path():
        # A relative entry would mean another folder in every project, and a program that nobody installed.
        for program in (os.path.join(path, name) for name in programs if os.path.isabs(path)):
            if os.path.isfile(program) and os.access(program, os.X_OK):
                commands.append([program, *ARGUMENTS])
    return commands


def _start(command: list) -> bool:
    """Start a watcher that no signal to this session, and no end of it, reaches."""
    import subprocess

    home = hook.home()
    # The user's projects may set these for their own Python; the watcher's must find its own modules.
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    if environment.get("CLAUDE_MEM_HOME"):
        environment["CLAUDE_MEM_HOME"] = home  # it may be relative, and the watcher works in another folder
    if environment.get("CLAUDE_CONFIG_DIR"):
        environment["CLAUDE_CONFIG_DIR"] = os.path.abspath(os.path.expanduser(environment["CLAUDE_CONFIG_DIR"]))
    flags = 0
    if os.name == "nt":
        flags = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    log = hook.open_log(os.path.join(hook.folder("logs"), "watcher.log"))
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            cwd=home,
            start_new_session=True,
            creationflags=flags,
        )
    finally:
        os.close(log)
    process.returncode = 0  # It is meant to run on: tell Popen not to warn of that.
    return True
