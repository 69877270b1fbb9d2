"""Owns putting claude-mem in place and taking it away: the memory, the launcher, the hooks in settings.json.

In `settings.json` only what is ours is touched; what else it holds stays as it is, and where it stands.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from filelock import Timeout

from watcher import resources, system
from watcher.errors import ClaudeMemError
from watcher.memory.database import Database
from watcher.service import presence, registration
from watcher.settings import Settings

STOP_WAIT = 10.0  # seconds for a running watcher to end
OURS = {"data", "logs", "agent", "config.toml"}  # what a home holds


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that was changed, or would be."""

    what: str  # a verb: created, written, added, replaced, removed, restored, stopped, deleted
    where: str  # a path
    detail: str


def install(settings: Settings, *, dry_run: bool = False) -> list[Change]:
    """Create the memory, tell hooks which Python to use, and set up the hooks for every session of the user.

    Return what was changed: nothing where all is in place.

    Raises:
        ClaudeMemError: settings.json cannot be understood or written. Nothing was changed then.
    """
