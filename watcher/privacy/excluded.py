"""Owns which folders are private by the settings: of a session that is begun in one nothing is kept.

A hook decides the same by the same `globs`, with SQLite's GLOB, as it has no time for more.
"""

from __future__ import annotations

import fnmatch
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from watcher.errors import UsageError

_HINT = 'write whole paths: exclude = ["~/clients/**", "**/secret-*"]'
_IGNORES_CASE = sys.platform in ("win32", "darwin")  # as the file systems there do
_WHOLE = re.compile(r"[/*]|[a-zA-Z]:/")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")  # among them what ends a line: hooks read a pattern a line


class Excluded:
    """Knows the patterns."""

    def __init__(self, patterns: Sequence[str], home: Path | None = None) -> None:
        """Take the patterns and the user's home, that of this process unless told.

        Raises:
            UsageError: one is none.
        """
        given = [_plain(pattern, home or Path.home()) for pattern in patterns]
        # A folder may be reached by a link, and Claude Code says where that leads.
        self.globs = tuple(dict.fromkeys(one for path in given for one in _with_below([path, _resolved(path)])))
        self._match = re.compile("|".join(map(fnmatch.translate, self.globs)) or r"(?!)").match

    def holds(self, folder: str) -> bool:
        """Say whether a folder is one of them, or below one."""
        if not self.globs or not folder:
            return False
        return any(self._match(_spelling(path)) for path in (folder, _leading_to(folder)))


def _plain(pattern: str, home: Path) -> str:
    """Return the path of a pattern as it is compared."""
    path = pattern.replace("\\", "/")
    for user in ("~", "$HOME", "${HOME}", "%USERPROFILE%"):
        if path == user or path.startswith(user + "/"):
            path = home.as_posix() + path[len(user) :]
    if not _WHOLE.match(path) or _CONTROL.search(path):
        raise UsageError(f"[privacy] exclude: {pattern!r} is no whole path", hint=_HINT)
    while path.endswith(("/*", "/**", "/")):
        path = path.rstrip("*").rstrip("/")
    return path


def _with_below(paths: Iterable[str]) -> Iterator[str]:
    for path in paths:
        glob = re.sub(r"\*+", "*", _spelling(path)).replace("[", "[[]")
        yield glob
        yield f"{glob}/*"


def _resolved(path: str) -> str:
    """Return a path with the links in it followed, up to where it is a pattern."""
    parts = path.split("/")
    fixed = next((number for number, part in enumerate(parts) if "*" in part or "?" in part), len(parts))
    first = "/".join(parts[:fixed])
    return "/".join([Path(os.path.realpath(first)).as_posix(), *parts[fixed:]]) if first else path


def _leading_to(folder: str) -> str:
    """Return where a folder lies, the links on the way followed."""
    try:
        return os.path.realpath(folder)
    except ValueError:  # a NUL or half a character in it: there is no such folder
        return folder


def _spelling(folder: str) -> str:
    path = folder.replace("\\", "/")
    path = path.rstrip("/") or path
    return path.lower() if _IGNORES_CASE else path
