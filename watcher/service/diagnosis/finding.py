"""Owns what a check is given, the case, and what it says, a finding."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from watcher import permissions
from watcher import settings as settings_room
from watcher.errors import UsageError
from watcher.memory import lookup
from watcher.memory.lookup import WatcherRun
from watcher.permissions import OpenToOthersError
from watcher.service.diagnosis.life import Life, life
from watcher.service.events import now
from watcher.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Connection


class State(StrEnum):
    """How a link is."""

    OK = "ok"
    WARNING = "warning"  # works, or will by itself
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one link, and what to type next."""

    link: str
    state: State
    text: str
    hint: str = ""


class Case:
    """What all checks look at; looked up once, and only when asked for."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self.environ = dict(os.environ if environ is None else environ)
        self.settings_error: UsageError | None = None
        self.is_database_told = False  # that it cannot be read
        self.now = now()

    @cached_property
    def settings(self) -> Settings:
        """The settings; the defaults where what is written cannot be meant, and `settings_error` says so.

        They are also what is taken where others could have written them: the check of the home says so.
        """
        try:
            return settings_room.load(self.environ)
        except (UsageError, OpenToOthersError) as error:
            self.settings_error = error if isinstance(error, UsageError) else None
            home = self.environ.get("CLAUDE_MEM_HOME") or Path.home() / ".claude-mem"
            return Settings(home=Path(home).expanduser().absolute(), claude_dir=claude_dir(self.environ))

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give the memory, for looking alone.

        Raises:
            DatabaseError: it cannot be opened.
        """
        from watcher.memory import health  # slow to import: `status` needs some of this room, and not that

        with health.opened(self.settings.database) as connection:
            yield connection

    @cached_property
    def is_open_to_others(self) -> bool:
        """Whether other users could write what is in the home, or make another of it."""
        try:
            permissions.check(self.settings.home)
        except OpenToOthersError:
            return True
        return False

    @cached_property
    def has_memory(self) -> bool:
        """Whether the database can be read, and holds the tables of this version."""
        try:
            with lookup.opened(self.settings.database, lookup.SHORT_TIMEOUT):
                return True
        except Exception:  # noqa: BLE001 - whatever it is, the checks of the database and the schema tell it
            return False

    @cached_property
    def last_run(self) -> WatcherRun | None:
        """The newest run of a watcher; None too where it cannot be read."""
        if not self.has_memory:
            return None
        with lookup.opened(self.settings.database, lookup.SHORT_TIMEOUT) as connection:
            return lookup.last_run(connection)

    @cached_property
    def life(self) -> Life:
        """How the watcher is."""
        return life(self.settings.lock, self.last_run, self.now)

    @property
    def is_watched(self) -> bool:
        """Whether a watcher does its work at this moment."""
        return self.life is Life.ALIVE

    def since(self, moment: int) -> str:
        """Say how long ago a time (epoch) was."""
        return f"{span(self.now - moment)} ago"


def claude_dir(environ: Mapping[str, str]) -> Path:
    """Return Claude Code's folder as a process with these variables sees it."""
    return Path(environ.get("CLAUDE_CONFIG_DIR") or Path.home() / ".claude").expanduser().absolute()


def span(milliseconds: int) -> str:
    """Return a span of time in its largest unit."""
    seconds = max(0, milliseconds) // 1000
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def size(number: float) -> str:
    """Return a number of bytes in its largest unit."""
    for unit in ("bytes", "KB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "bytes" or number >= 10 else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"


def counted(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun."""
    return f"{number} {one if number == 1 else many or one + 's'}"
