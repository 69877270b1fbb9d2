"""Owns the fuse: SIGKILL, by a process's own hand, at the very line of the program that was drawn."""

from __future__ import annotations

import itertools
import os
import signal
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Fuse:
    """Burns when the program's `lines`th line is reached, counting only those of a room where one is named."""

    lines: int
    room: str = ""  # the beginning of a path below the checkout: "watcher/service/ingest"; empty: all of the program

    def light(self, told: int) -> None:
        """Count the lines of this process and its threads; where it burns is written to the descriptor `told`."""
        rooms = (self.room,) if self.room else ("watcher/", "alembic/")
        beginnings = tuple(str(ROOT / room) if not room.endswith("/") else f"{ROOT / room}/" for room in rooms)
        counter = itertools.count(1)  # unlike `+= 1`, counting on is one step for all threads

        def line(frame: FrameType, event: str, _argument: Any) -> Any:
            if event == "line" and next(counter) >= self.lines:
                path = Path(frame.f_code.co_filename).relative_to(ROOT)
                os.write(told, f"{path}:{frame.f_lineno} {frame.f_code.co_name}\n".encode())
                os.kill(os.getpid(), signal.SIGKILL)
            return line

        def call(frame: FrameType, _event: str, _argument: Any) -> Any:
            return line if frame.f_code.co_filename.startswith(beginnings) else None

        threading.settrace(call)
        sys.settrace(call)
