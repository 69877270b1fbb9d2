"""Owns putting claude-mem in place and taking it away: the memory, the launcher, the hooks in `settings.json`.

In `settings.json` only what is ours is touched: what else it holds stays as it is, and where it stands. Our hooks
are known by the script they run and by their last argument, so those of an older place or Python are ours too.
"""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from watcher import resources, system
from watcher.errors import ClaudeMemError
from watcher.memory import watchers
from watcher.memory.database import Database
from watcher.service.presence import is_locked, write_launcher
from watcher.settings import Settings

MARK = "claude-mem"  # the last argument of every hook of ours
SCRIPTS = {"session_start.py", "user_prompt_submit.py", "stop.py", "session_end.py"}
BACKUP = "settings.json.before-claude-mem"  # the first one; later ones end in .2, .3 and so on
STOP_WAIT = 10.0  # seconds for a running watcher to end
HOME_HOLDS = {"agent", "config.toml", "data", "logs"}


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that was changed, or would be: a verb, a path, and what about it."""

    what: str
    where: str
    detail: str


@dataclass(frozen=True, slots=True)
class _Written:
    """A `settings.json` as it stands."""

    raw: bytes | None  # None: there is none
    value: dict[str, Any]


def install(settings: Settings, *, dry_run: bool = False) -> list[Change]:
    """Create the memory, write down which Python runs it, and set up the hooks for all sessions of the user.

    Return what was changed: nothing where all is in place. A `dry_run` changes nothing.

    Raises:
        ClaudeMemError: `settings.json` cannot be understood (nothing was changed then), or not be written.
    """
    path = settings.claude_dir / "settings.json"
    written = _read(path)
    _check_shape(path, written.value)
    value, steps = _with_hooks(written.value, _hooks())
    changes = []
    if not settings.database.exists():
        changes.append(Change("create", str(settings.database), "the memory"))
    if not settings.launcher.exists() or settings.launcher.read_text(encoding="utf-8") != sys.executable + "\n":
        changes.append(Change("write", str(settings.launcher), f"hooks start the watcher with {sys.executable}"))
    backup = _next_backup(settings.claude_dir) if steps and written.raw is not None else None
    if backup is not None:
        changes.append(Change("back up", str(backup), "settings.json as it was"))
    changes += [Change(what, str(path), f"the {event} hook") for what, event in steps]
    if not dry_run:
        Database.create(settings.database).close()
        write_launcher(settings)
        if backup is not None:
            _copy(path, backup)
        if steps:
            _replace(path, _dumped(value, like=written.raw))
    return changes


def uninstall(settings: Settings, *, purge: bool = False, dry_run: bool = False) -> list[Change]:
    """Take the hooks and the launcher away and end a running watcher; with `purge` delete the memory too.

    Return what was changed: nothing where nothing was in place. A `dry_run` changes nothing.

    Raises:
        ClaudeMemError: `settings.json` cannot be understood, the home to purge is not one of ours (nothing was
            changed then), or the watcher does not end.
    """
    path = settings.claude_dir / "settings.json"
    written = _read(path)
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


def _hooks() -> dict[str, dict[str, Any]]:
    """Return the hook of each event: as the plugin declares it, but run by the Python that runs this."""
    declared = json.loads((resources.hooks() / "hooks.json").read_text(encoding="utf-8"))["hooks"]
    found = {}
    for event, groups in declared.items():
        hook = groups[0]["hooks"][0]
        *options, script = hook["args"]
        args = [*options, str(resources.hooks() / _name(script)), MARK]
        found[event] = {**hook, "command": sys.executable, "args": args}
    return found


def _is_ours(hook: object) -> bool:
    args = hook.get("args") if isinstance(hook, dict) else None
    if not isinstance(args, list) or len(args) < 2 or args[-1] != MARK:
        return False
    return isinstance(args[-2], str) and _name(args[-2]) in SCRIPTS


def _name(path: str) -> str:
    """Return the last part of a path of any operating system."""
    return re.split(r"[\\/]", path)[-1]


def _with_hooks(
    value: dict[str, Any], hooks: Mapping[str, dict[str, Any]]
) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Return settings in which exactly these hooks are ours, and the steps to it: a verb and an event each.

    What is empty without ours goes, what was empty before stays.
    """
    value = copy.deepcopy(value)
    missing = dict(hooks)
    steps: list[tuple[str, str]] = []
    events: Any = value.get("hooks")
    named = list(events.items()) if isinstance(events, dict) else []
    for event, groups in named:
        if isinstance(groups, list) and groups:
            events[event] = _renewed(groups, event, missing, steps)
            if not events[event]:
                del events[event]
    if named and not events:
        del value["hooks"]
    for event, hook in missing.items():
        value.setdefault("hooks", {}).setdefault(event, []).append({"hooks": [hook]})
        steps.append(("add", event))
    return value, steps


def _renewed(
    groups: list[Any], event: str, missing: dict[str, dict[str, Any]], steps: list[tuple[str, str]]
) -> list[Any]:
    """Return one event's groups with the first hook of ours as it is wanted, taken from `missing`, and no other."""
    renewed = []
    for group in groups:
        if not isinstance(group, dict) or not isinstance(group.get("hooks"), list):
            renewed.append(group)
            continue
        kept = []
        for hook in group["hooks"]:
            wanted = missing.pop(event, None) if _is_ours(hook) else hook
            if wanted is not None:
                kept.append(wanted)
            if wanted != hook:
                steps.append(("replace" if wanted else "remove", event))
        if kept or not group["hooks"]:
            renewed.append({**group, "hooks": kept})
    return renewed


def _remove_hooks(path: Path, written: _Written, *, dry_run: bool) -> list[Change]:
    """Take our hooks out of settings.json; where nothing else has changed since, put back what was there before."""
    value, steps = _with_hooks(written.value, {})
    if not steps:
        return []
    changes = [Change(what, str(path), f"the {event} hook") for what, event in steps]
    backup = _backup_of(value, path.parent)
    if backup is not None:
        changes.append(Change("restore", str(path), f"byte by byte from {backup.name}, which goes"))
        if not dry_run:
            _replace(path, backup.read_bytes())
            backup.unlink()
    elif not value and not _backups(path.parent):
        changes.append(Change("remove", str(path), "which holds nothing any more"))
        if not dry_run:
            path.resolve().unlink()
    elif not dry_run:
        _replace(path, _dumped(value, like=written.raw))
    return changes


def _stop_watcher(settings: Settings, *, dry_run: bool) -> list[Change]:
    """End the watcher that serves this memory, if one does."""
    if not is_locked(settings):
        return []
    database = Database.existing(settings.database)
    with database.read() as connection:
        run = watchers.last_run(connection)
    database.close()
    # The pid of a watcher that was killed may be another process's by now, which then began later than the watcher.
    if run is None or run.stopped_at is not None or not system.process_is_alive(run.pid, run.started_at):
        raise ClaudeMemError(f"an unknown process holds {settings.lock}", hint="end it, then run this again")
    if not dry_run and not system.end_process(run.pid, STOP_WAIT):
        raise ClaudeMemError(
            f"the watcher (pid {run.pid}) does not end", hint=f"kill -9 {run.pid}, then run this again"
        )
    return [Change("stop", str(settings.lock), f"the watcher (pid {run.pid})")]


def _delete(home: Path) -> None:
    try:
        shutil.rmtree(home.resolve())
        if home.is_symlink():
            home.unlink()
    except OSError as error:
        raise ClaudeMemError(f"cannot delete {home}: {error}", hint="delete the rest yourself") from error


def _read(path: Path) -> _Written:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return _Written(None, {})
    except OSError as error:
        raise ClaudeMemError(f"cannot read {path}: {error.strerror}", hint=f"check {path}") from error
    try:
        value = json.loads(raw.decode("utf-8-sig").strip() or "{}")
    except ValueError as error:
        raise ClaudeMemError(f"{path} is not valid JSON: {error}", hint="mend it; nothing was changed") from error
    if not isinstance(value, dict):
        raise ClaudeMemError(f"{path} holds no JSON object", hint="mend it; nothing was changed")
    return _Written(raw, value)


def _check_shape(path: Path, value: dict[str, Any]) -> None:
    """Refuse to add to hooks that are not what Claude Code itself takes."""
    events = value.get("hooks", {})
    if not isinstance(events, dict):
        raise ClaudeMemError(f'{path}: "hooks" is no object', hint="mend it; nothing was changed")
    for event in _hooks():
        groups = events.get(event, [])
        if not isinstance(groups, list) or not all(
            isinstance(group, dict) and isinstance(group.get("hooks"), list) for group in groups
        ):
            problem = f'{path}: hooks.{event} is no list of objects that each have a list "hooks"'
            raise ClaudeMemError(problem, hint="mend it; nothing was changed")


def _dumped(value: dict[str, Any], *, like: bytes | None) -> bytes:
    """Return settings as JSON in the look of a file: its indentation, line ends, escapes, last newline."""
    text = "\n" if like is None else like.decode("utf-8")
    found = re.search(r'\n([ \t]+)"', text)
    indent = found[1] if found else 2
    dumped = json.dumps(value, indent=indent, ensure_ascii=like is not None and like.isascii())
    if re.search("[\ud800-\udfff]", dumped):  # half a character can only be escaped
        dumped = json.dumps(value, indent=indent)
    dumped += "\n" if text.endswith("\n") else ""
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    return (mark + dumped.replace("\n", "\r\n" if "\r\n" in text else "\n")).encode()


def _replace(path: Path, raw: bytes) -> None:
    """Put new content in a file's place at once, with the file's mode; a link goes on pointing where it points."""
    target = path.resolve()
    try:
        if not target.parent.exists():
            system.make_private_folder(target.parent)
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as new:
            new.write(raw)
            new.flush()
            os.fsync(new.fileno())
        try:
            if target.exists():
                shutil.copymode(target, new.name)
            Path(new.name).replace(target)
        finally:
            Path(new.name).unlink(missing_ok=True)
    except OSError as error:
        raise ClaudeMemError(f"cannot write {target}: {error.strerror}", hint="check its permissions") from error


def _copy(path: Path, backup: Path) -> None:
    try:
        shutil.copy2(path, backup)
    except OSError as error:
        raise ClaudeMemError(f"cannot write {backup}: {error.strerror}", hint="check its permissions") from error


def _backups(folder: Path) -> list[Path]:
    """Return the backups of settings.json, the oldest first."""
    named = [path for path in folder.glob(f"{BACKUP}*") if re.fullmatch(r"(\.\d+)?", path.name.removeprefix(BACKUP))]
    return sorted(named, key=_number)


def _number(backup: Path) -> int:
    return int(backup.name.removeprefix(BACKUP)[1:] or 1)


def _next_backup(folder: Path) -> Path:
    """Return the path of a backup that overwrites none."""
    taken = _backups(folder)
    return folder / (f"{BACKUP}.{_number(taken[-1]) + 1}" if taken else BACKUP)


def _backup_of(value: dict[str, Any], folder: Path) -> Path | None:
    """Return the newest backup from before our hooks that becomes these settings by their coming and going."""
    for backup in reversed(_backups(folder)):
        try:
            before = _read(backup).value
        except ClaudeMemError:
            continue  # Somebody has changed it; it is no backup any more.
        has_ours = bool(_with_hooks(before, {})[1])
        if not has_ours and _with_hooks(_with_hooks(before, _hooks())[0], {})[0] == value:
            return backup
    return None
