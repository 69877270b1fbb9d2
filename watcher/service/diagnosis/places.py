"""Owns the checks of folders, files and variables: whether all is where it should be, and for whom."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from watcher import permissions, system
from watcher.errors import ClaudeMemError
from watcher.service import admission, claude_settings
from watcher.service.diagnosis.finding import Case, Finding, State, claude_dir, counted, size

LITTLE = 200_000_000  # bytes left on the disk below which it is said
TOO_LITTLE = 20_000_000  # bytes
CROWDED = 0.8  # of the folders that may be watched
_ANEW = "claude-mem watch --stop (the next prompt starts one)"
_NAMES = ("CLAUDE_MEM_HOME", "CLAUDE_CONFIG_DIR")


def settings_file(case: Case) -> Iterator[Finding]:
    """Can what is written in the settings be meant?"""
    path = case.settings.config
    admission.check(case.settings.privacy)  # its error is a finding
    if case.settings_error is not None:
        hint = case.settings_error.hint
        yield Finding("settings", State.WRONG, f"{case.settings_error}; below, the defaults are taken", hint)
    elif not path.exists():
        yield Finding("settings", State.OK, f"all are the defaults; {path} is not there")
    else:
        yield Finding("settings", State.OK, str(path))


def home(case: Case) -> Iterator[Finding]:
    """Is the home there, ours, and closed to others?"""
    folder = case.settings.home
    if not folder.is_dir():
        yield Finding("home", State.WRONG, f"{folder} is not there", "claude-mem install")
        return
    try:
        permissions.check(folder)
    except permissions.OpenToOthersError as error:
        yield Finding("home", State.WRONG, f"{error}: nothing is read or written there", error.hint)
        return
    if not os.access(folder, os.W_OK | os.X_OK):
        yield Finding("home", State.WRONG, f"{folder} cannot be written to", f"chmod u+rwx {folder}")
        return
    if above := permissions.replaceable(folder):
        text = f"anybody can put another thing in the place of {folder}: {above} is for all to write into"
        yield Finding("home", State.WARNING, text, f"chmod o-w {above}")
        return
    inside = [path for path in sorted(folder.rglob("*")) if not path.is_symlink()]
    open_to_others = [path for path in [folder.resolve(), *inside] if not permissions.is_private(path)]
    if open_to_others:
        text = f"others can look at {open_to_others[0]}{_and_more(len(open_to_others) - 1)}"
        yield Finding("home", State.WARNING, text, f"chmod -R go= {folder}")
    else:
        yield Finding("home", State.OK, f"{folder}, for its owner only")


def disk(case: Case) -> Iterator[Finding]:
    """Is there room for what is to be remembered?"""
    folder = next(path for path in (case.settings.home, *case.settings.home.parents) if path.exists())
    free = shutil.disk_usage(folder).free
    text = f"{size(free)} free on the disk of {folder}"
    hint = "make room; nothing is lost meanwhile: transcripts are read later"
    if free < TOO_LITTLE:
        yield Finding("disk", State.WRONG, text, hint)
    elif free < LITTLE:
        yield Finding("disk", State.WARNING, text, hint)
    else:
        yield Finding("disk", State.OK, text)


def projects(case: Case) -> Iterator[Finding]:
    """Can Claude Code's transcripts be read?"""
    folder = case.settings.projects
    if not folder.is_dir():
        text = f"{folder} is not there: Claude Code has written no transcript yet"
        yield Finding("projects", State.WARNING, text, "claude (or check CLAUDE_CONFIG_DIR)")
        return
    closed: list[Path] = []
    number = 0
    for path in _folders_or_error(folder, closed):
        _folders_or_error(path, closed)
        number += 1
    if closed:
        text = f"cannot read {closed[0]}{_and_more(len(closed) - 1)}"
        yield Finding("projects", State.WRONG, text, f"chmod u+rx {closed[0]}")
    else:
        yield Finding("projects", State.OK, f"{folder}, {counted(number, 'project')}")


def _folders_or_error(folder: Path, closed: list[Path]) -> list[Path]:
    """Return the folders in a folder; one that cannot be read is noted."""
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(entry.path) for entry in entries if entry.is_dir())
    except FileNotFoundError:
        return []
    except OSError:
        closed.append(folder)
        return []


def variables(case: Case) -> Iterator[Finding]:
    """Do this command, Claude Code's hooks and the running watcher speak of the same folders?"""
    ours = {"CLAUDE_MEM_HOME": case.settings.home, "CLAUDE_CONFIG_DIR": case.settings.claude_dir}
    told = [f"{name}={case.environ[name]}" if case.environ.get(name) else f"{name} is not set" for name in _NAMES]
    differs = False
    for name, value in _given_to_hooks(case).items():
        if Path(value).expanduser() != ours[name]:
            differs = True
            text = f"settings.json gives the hooks {name}={value}; this command uses {ours[name]}"
            yield Finding("variables", State.WARNING, text, f"{name}={value} claude-mem doctor")
    environment = _environment_of_watcher(case)
    theirs = claude_dir(environment) if environment else None
    if theirs is not None and theirs != case.settings.claude_dir:
        differs = True
        ours_too = case.settings.claude_dir
        text = f"the running watcher reads the transcripts in {theirs}, this command those in {ours_too}"
        yield Finding("variables", State.WARNING, text, _ANEW)
    if environment and (unlike := _unlike(case.environ, environment)):
        differs = True
        text = f"the running watcher was started with another value of {', '.join(unlike)}"
        yield Finding("variables", State.WARNING, text, _ANEW)
    if not differs:
        same = "; the running watcher uses the same" if environment else ""
        yield Finding("variables", State.OK, f"{', '.join(told)}{same}")


def _unlike(ours: Mapping[str, str], theirs: Mapping[str, str]) -> list[str]:
    """Return the variables that change a setting, and stand for another value in the one than in the other."""
    names = {name for name in {*ours, *theirs} if name.startswith("CLAUDE_MEM_")} - {"CLAUDE_MEM_HOME"}
    return sorted(name for name in names if ours.get(name) != theirs.get(name))


def _given_to_hooks(case: Case) -> dict[str, str]:
    try:
        given = claude_settings.read(case.settings.claude_dir / "settings.json").value.get("env")
    except ClaudeMemError:
        return {}  # the check of the hooks says so
    found = given if isinstance(given, dict) else {}
    return {name: found[name] for name in _NAMES if isinstance(found.get(name), str) and found[name]}


def _environment_of_watcher(case: Case) -> dict[str, str] | None:
    """Return the variables of the watcher that runs; None where none does, or they do not tell."""
    if not case.is_watched or case.last_run is None:
        return None
    environment = system.environment_of(case.last_run.pid)
    folder = (environment or {}).get("CLAUDE_CONFIG_DIR")
    return environment if not folder or Path(folder).is_absolute() else None


def watching(case: Case) -> Iterator[Finding]:
    """May all the folders of transcripts be watched for changes?"""
    limit = system.watch_limit()
    number = sum(1 for _ in os.walk(case.settings.projects))
    if limit is None:
        yield Finding("watching", State.OK, f"{counted(number, 'folder')} to watch")
    elif number > limit * CROWDED:
        text = f"{counted(number, 'folder')} to watch, and this system allows {limit} to all programs of a user"
        hint = f"sudo sysctl fs.inotify.max_user_watches={max(524_288, limit * 2)} (without it, it looks by turns)"
        yield Finding("watching", State.WARNING, text, hint)
    else:
        yield Finding("watching", State.OK, f"{counted(number, 'folder')} to watch of {limit} that may be")


def _and_more(number: int) -> str:
    return f" and {number} more" if number > 0 else ""
