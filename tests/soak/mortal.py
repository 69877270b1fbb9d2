"""Owns the process that watchers are forked from: all is imported once, so that a life begins in a tenth of a second.

`python -m tests.soak.mortal` reads requests, one JSON object a line, and answers each with one:

    {"start": {"argv": ["watch"], "environment": {...}, "folder": "...", ...}}  ->  {"pid": 123}
    {"poll": 123}  ->  {"status": null} while it lives, then its wait status, once
    {"wait": 123}  ->  {"status": 9}

A child runs the real command line in an environment of its own. It may carry a fuse (see `fuse`), an agent in its
own process (see `scripted`), and a clock that is put forward and back from outside. POSIX only: it forks.
"""

from __future__ import annotations

import gc
import importlib
import json
import mmap
import os
import struct
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

from tests.soak import scripted
from tests.soak.fuse import Fuse

_MODULES = (
    "alembic.autogenerate",
    "alembic.command",
    "logging.config",
    "sqlalchemy.dialects.sqlite",
    "watcher.agent.proxy",
    "watcher.cli.events",
    "watcher.service.presence",
    "watcher.service.watch",
)
CLOCK = struct.Struct("<q")  # nanoseconds that the clock is ahead


def main() -> None:
    """Serve until stdin ends."""
    _import_all()
    gc.freeze()
    assert threading.active_count() == 1, "a thread does not survive a fork"
    for line in sys.stdin:
        request: dict[str, Any] = json.loads(line)
        if "start" in request:
            answer: dict[str, Any] = {"pid": _start(request["start"])}
        elif "poll" in request:
            pid, status = os.waitpid(request["poll"], os.WNOHANG)
            answer = {"status": status if pid else None}
        else:
            answer = {"status": os.waitpid(request["wait"], 0)[1]}
        print(json.dumps(answer), flush=True)  # noqa: T201


def _import_all() -> None:
    """Import what the watcher imports, in its life and at its beginning."""
    for name in _MODULES:
        importlib.import_module(name)


def _start(wanted: dict[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 70  # what remains where nothing below says otherwise
    try:
        status = _live(wanted)
    finally:
        os._exit(status)


def _live(wanted: dict[str, Any]) -> int:
    """Be `claude-mem`; return the exit code."""
    folder = Path(wanted["folder"])
    _redirect(folder)
    told = os.open(folder / "burnt", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.environ.clear()
    os.environ.update(wanted["environment"])
    os.chdir(folder)
    sys.argv = ["claude-mem", *wanted["argv"]]
    if wanted.get("clock"):
        _shift_clock(Path(wanted["clock"]))
    if wanted.get("thinks") is not None:
        import watcher.agent

        vars(watcher.agent).update(scripted.created(wanted["thinks"]))
    from watcher.cli import main as claude_mem

    if wanted.get("fuse"):
        Fuse(**wanted["fuse"]).light(told)
    try:
        claude_mem()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1 if end.code else 0
    except BaseException:  # noqa: BLE001 - the end of a process tells what ended it
        traceback.print_exc()
        return 1
    finally:
        sys.settrace(None)
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def _redirect(folder: Path) -> None:
    """Let what the watcher prints go to its log, and nothing to the process that asks for watchers."""
    null = os.open(os.devnull, os.O_RDONLY)
    log = os.open(folder / "watch.out", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for descriptor, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(descriptor, target)
    os.close(null)
    os.close(log)


def _shift_clock(path: Path) -> None:
    """Let the time that the watcher goes by be as far ahead as a file says."""
    with path.open("rb") as file:
        ahead = mmap.mmap(file.fileno(), CLOCK.size, access=mmap.ACCESS_READ)
    real = time.time_ns

    def shifted() -> int:
        return int(real() + CLOCK.unpack(ahead[: CLOCK.size])[0])

    time.time_ns = shifted


if __name__ == "__main__":
    main()
