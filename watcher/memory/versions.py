"""Owns the schema's versions: the newest that this program knows, and all before it."""

from __future__ import annotations

import re
from functools import cache

from watcher import resources


@cache
def head() -> str:
    """Return the newest schema that this version knows."""
    (newest,) = known() - _named("down_revision")
    return newest


@cache
def known() -> frozenset[str]:
    """Return every schema that this version knows."""
    return _named("revision")


def _named(name: str) -> frozenset[str]:
    return frozenset(re.findall(rf'^{name} = "(\w+)"', _migrations(), re.MULTILINE))


@cache
def _migrations() -> str:
    """Return the text of all migrations; read once, since an upgrade changes the files under a running process."""
    files = (resources.migrations() / "versions").glob("*.py")
    return "\n".join(path.read_text(encoding="utf-8") for path in files)
