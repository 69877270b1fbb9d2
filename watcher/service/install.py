"""Owns putting claude-mem in place and taking it away: the memory, the launcher, the hooks, the running watcher."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from watcher.errors import ClaudeMemError
from watcher.memory.database import Database
from watcher.service import claude_settings, presence
from watcher.settings import Settings

HOME_HOLDS = {"agent", "config.toml", "data", "logs"}


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that was changed, or would be: a verb, a path, and what about it."""

    what: str
    where: str
    detail: str


def install(settings: Settings, *, dry_run: bool = False) -> list[Change]:
    """Create the memory, write down which Python runs it, and set up the hooks for all sessions of the user.

    Return what was changed: nothing where all is in place. A `dry_run` changes nothing.

    Raises:
        ClaudeMemError: `settings.json` cannot be understood (nothing was changed then), or not be written.
    """
    path = settings.claude_dir / "settings.json"
    written = claude_settings.read(path)
    claude_settings.check_shape(path, written.value)
    value, steps = claude_settings.with_hooks(written.value, claude_settings.our_hooks())
    changes = []
    if not settings.database.exists():
        changes.append(Change("create", str(settings.database), "the memory"))
    if not presence.launcher_is_current(settings):
        changes.append(Change("write", str(settings.launcher), f"hooks start the watcher with {sys.executable}"))
    backup = claude_settings.next_backup(settings.claude_dir) if steps and written.raw is not None else None
    if backup is not None:
        changes.append(Change("back up", str(backup), "settings.json as it was"))
    changes += [Change(what, str(path), f"the {event} hook") for what, event in steps]
    if not dry_run:
        Database.create(settings.database).close()
        presence.write_launcher(settings)
        if backup is not None:
            claude_settings.copy_to(path, backup)
        if steps:
            claude_settings.replace(path, claude_settings.dumped(value, like=written.raw))
    return changes


def uninstall(settings: Settings, *, purge: bool = False, dry_run: bool = False) -> list[Change]:
    """Take the hooks and the launcher away and end a running watcher; with `purge` delete the memory too.

    Return what was changed: nothing where nothing was in place. A `dry_run` changes nothing.

    Raises:
        ClaudeMemError: `settings.json` cannot be understood, the home to purge is not one of ours (nothing was
            changed then), or the watcher does not end.
    """
    path = settings.claude_dir / "settings.json"
    written = claude_settings.read(path)
    if purge:
        check_home(settings)
    changes = _remove_hooks(path, written, dry_run=dry_run)
    if settings.launcher.exists():
        changes.append(Change("remove", str(settings.launcher), "which told hooks how to start the watcher"))
        if not dry_run:
            settings.launcher.unlink()
    changes += _stop_watcher(settings, dry_run=dry_run)
    if purge and settings.home.exists():
        changes.append(Change("delete", str(settings.home), "the memory, its settings and its logs"))
        if not dry_run:
            _delete(settings.home)
    return changes


def check_home(settings: Settings) -> None:
    """Make sure that the home is one that claude-mem made, and holds nothing else.

    Raises:
        ClaudeMemError: it is not, so it is never deleted.
    """
    if not settings.home.exists():
        return
    home = settings.home.resolve()
    for theirs in (Path.home().resolve(), settings.claude_dir.resolve()):
        if theirs.is_relative_to(home):
            raise ClaudeMemError(f"{home} holds {theirs}: it is not deleted", hint="check CLAUDE_MEM_HOME")
    if not settings.database.is_file():
        raise ClaudeMemError(f"{home} holds no memory: it is not deleted", hint="check CLAUDE_MEM_HOME")
    if strange := sorted(entry.name for entry in home.iterdir() if entry.name not in HOME_HOLDS):
        raise ClaudeMemError(
            f"{home} holds what is not of claude-mem ({', '.join(strange)}): it is not deleted",
            hint="move that away, or delete the folder yourself",
        )


def _remove_hooks(path: Path, written: claude_settings.Written, *, dry_run: bool) -> list[Change]:
    """Take our hooks out of settings.json; where nothing else has changed since, put back what was there before."""
    value, steps = claude_settings.with_hooks(written.value, {})
    if not steps:
        return []
    changes = [Change(what, str(path), f"the {event} hook") for what, event in steps]
    backup = claude_settings.backup_of(value, path.parent)
    if backup is not None:
        changes.append(Change("restore", str(path), f"byte by byte from {backup.name}, which goes"))
        if not dry_run:
            claude_settings.replace(path, backup.read_bytes())
            backup.unlink()
    elif not value and not claude_settings.backups(path.parent):
        changes.append(Change("remove", str(path), "which holds nothing any more"))
        if not dry_run:
            path.resolve().unlink()
    elif not dry_run:
        claude_settings.replace(path, claude_settings.dumped(value, like=written.raw))
    return changes


def _stop_watcher(settings: Settings, *, dry_run: bool) -> list[Change]:
    """End the watcher that serves this memory, if one does."""
    run = presence.running(settings)
    if run is None:
        return []
    if not dry_run:
        presence.end(run)
    return [Change("stop", str(settings.lock), f"the watcher (pid {run.pid})")]


def _delete(home: Path) -> None:
    try:
        shutil.rmtree(home.resolve())
        if home.is_symlink():
            home.unlink()
    except OSError as error:
        raise ClaudeMemError(f"cannot delete {home}: {error}", hint="delete the rest yourself") from error
