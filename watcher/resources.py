"""Owns where the files lie that are no Python modules: migrations, hooks, the plugin's manifests."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
# A wheel carries them as data of this package; in a checkout they stand beside it.
_ROOT = _PACKAGE / "_data" if (_PACKAGE / "_data").is_dir() else _PACKAGE.parent


def plugin_root() -> Path:
    """Return the folder that Claude Code can load as a plugin, and as a marketplace that offers it."""
    return _ROOT


def hooks() -> Path:
    """Return the folder of the hook scripts."""
    return _ROOT / "hooks"


def migrations() -> Path:
    """Return Alembic's script folder."""
    return _ROOT / "alembic"
