"""Owns Claude Code's `settings.json`: our hooks in it, their coming and going, and the backups of it.

Only what is ours is touched: what else the file holds stays as it is, and where it stands. Our hooks are known by the
script they run and by their last argument, so those of an older place or Python are ours too.
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

from watcher import permissions, resources
from watcher.errors import ClaudeMemError

MARK = "claude-mem"  # the last argument of every hook of ours
SCRIPTS = {"session_start.py", "user_prompt_submit.py", "stop.py", "session_end.py"}
BACKUP = "settings.json.before-claude-mem"  # the first one; later ones end in .2, .3 and so on


@dataclass(frozen=True, slots=True)
class Written:
    """A `settings.json` as it stands."""

    raw: bytes | None  # None: there is none
    value: dict[str, Any]


def our_hooks() -> dict[str, dict[str, Any]]:
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


def with_hooks(
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


def read(path: Path) -> Written:
    """Read a `settings.json`; one that is not there holds nothing.

    Raises:
        ClaudeMemError: it cannot be read, or is no JSON object.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return Written(None, {})
    except OSError as error:
        raise ClaudeMemError(f"cannot read {path}: {error.strerror}", hint=f"check {path}") from error
    try:
        value = json.loads(raw.decode("utf-8-sig").strip() or "{}", parse_float=_finite, parse_constant=_finite)
        copy.deepcopy(value)  # as all that is done to it goes in as deep
    except (ValueError, RecursionError) as error:
        raise ClaudeMemError(f"{path} is not valid JSON: {error}", hint="mend it; nothing was changed") from error
    if not isinstance(value, dict):
        raise ClaudeMemError(f"{path} holds no JSON object", hint="mend it; nothing was changed")
    return Written(raw, value)


def _finite(text: str) -> float:
    """Return a number, but for those that cannot be written as JSON again."""
    number = float(text)
    if not abs(number) < float("inf"):  # neither that nor NaN
        raise ValueError(f"{text} is no number")
    return number


def check_shape(path: Path, value: dict[str, Any]) -> None:
    """Refuse to add to hooks that are not what Claude Code itself takes."""
    events = value.get("hooks", {})
    if not isinstance(events, dict):
        raise ClaudeMemError(f'{path}: "hooks" is no object', hint="mend it; nothing was changed")
    for event in our_hooks():
        groups = events.get(event, [])
        if not isinstance(groups, list) or not all(
            isinstance(group, dict) and isinstance(group.get("hooks"), list) for group in groups
        ):
            problem = f'{path}: hooks.{event} is no list of objects that each have a list "hooks"'
            raise ClaudeMemError(problem, hint="mend it; nothing was changed")


def dumped(value: dict[str, Any], *, like: bytes | None) -> bytes:
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


def replace(path: Path, raw: bytes) -> None:
    """Put new content in a file's place at once, with the file's mode; a link goes on pointing where it points."""
    target = path.resolve()
    try:
        if not target.parent.exists():
            permissions.make_private_folder(target.parent)
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


def copy_to(path: Path, backup: Path) -> None:
    """Make a backup."""
    try:
        shutil.copy2(path, backup)
    except OSError as error:
        raise ClaudeMemError(f"cannot write {backup}: {error.strerror}", hint="check its permissions") from error


def backups(folder: Path) -> list[Path]:
    """Return the backups of settings.json, the oldest first."""
    named = [path for path in folder.glob(f"{BACKUP}*") if re.fullmatch(r"(\.\d+)?", path.name.removeprefix(BACKUP))]
    return sorted(named, key=_number)


def _number(backup: Path) -> int:
    return int(backup.name.removeprefix(BACKUP)[1:] or 1)


def next_backup(folder: Path) -> Path:
    """Return the path of a backup that overwrites none."""
    taken = backups(folder)
    return folder / (f"{BACKUP}.{_number(taken[-1]) + 1}" if taken else BACKUP)


def backup_of(value: dict[str, Any], folder: Path) -> Path | None:
    """Return the newest backup from before our hooks that becomes these settings by their coming and going."""
    for backup in reversed(backups(folder)):
        try:
            before = read(backup).value
        except ClaudeMemError:
            continue  # Somebody has changed it; it is no backup any more.
        has_ours = bool(with_hooks(before, {})[1])
        if not has_ours and with_hooks(with_hooks(before, our_hooks())[0], {})[0] == value:
            return backup
    return None
