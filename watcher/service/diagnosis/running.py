"""Owns the checks of the watcher: whether hooks can start one, whether one runs, and which."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from watcher import __version__, resources, system
from watcher.memory import health
from watcher.service import claude_settings
from watcher.service.diagnosis.finding import Case, Finding, State, counted
from watcher.service.diagnosis.life import Life, has_no_lock
from watcher.service.diagnosis.plugin import hooks_of_settings, read_plugin

START_TIMEOUT = 5.0  # seconds to say its version; it takes 0.3
_STOP = "claude-mem watch --stop (the next prompt starts this version's)"


def launcher(case: Case) -> Iterator[Finding]:
    """Can a hook start a watcher, and of this version?"""
    for command in _commands(case):
        # The project's own variables are none of its business: hooks take them away too.
        environment = {name: value for name, value in case.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
        # A folder in which no module of ours can be found by chance.
        said = system.run([*command, "--version"], timeout=START_TIMEOUT, environment=environment, folder=Path("/"))
        if said.code != 0 or not said.output.startswith("claude-mem "):
            text = f"{command[0]}, which hooks take first, cannot start a watcher: {said.problem or said.output[:80]}"
            yield Finding("launcher", State.WRONG, text, "claude-mem install")
        elif (version := said.output.split()[1]) != __version__:
            text = f"hooks start the watcher of claude-mem {version} with {command[0]}, this is {__version__}"
            yield Finding("launcher", State.WARNING, text, "claude-mem install")
        else:
            yield Finding("launcher", State.OK, f"hooks start the watcher with {command[0]}")
        return
    text = f"hooks can start no watcher: {case.settings.launcher} names no Python that is there"
    yield Finding("launcher", State.WRONG, text, "claude-mem install")


def _commands(case: Case) -> Iterator[list[str]]:
    """Return the ways to start a watcher that are there, the one that hooks take first."""
    for root in _roots(case):
        python = root / ".venv" / ("Scripts/python.exe" if system.WINDOWS else "bin/python")
        if python.is_file():
            yield [str(python), "-B", "-P", "-m", "watcher"]
    if case.settings.launcher.is_file():
        lines = case.settings.launcher.read_text(encoding="utf-8", errors="replace").splitlines()
        if lines and Path(lines[0]).is_file():
            yield [lines[0], "-B", "-P", "-m", "watcher"]
    if found := shutil.which("claude-mem", path=case.environ.get("PATH")):
        yield [found]


def _roots(case: Case) -> list[Path]:
    """Return the installations whose hooks run."""
    written = claude_settings.read(case.settings.claude_dir / "settings.json").value
    roots = [hook.root for hook in hooks_of_settings(written)]
    plugin = read_plugin(case.settings.claude_dir, written)
    if plugin is not None and plugin.is_enabled:
        roots.append(plugin.root)
    return list(dict.fromkeys(roots or [resources.plugin_root()]))


def lock(case: Case) -> Iterator[Finding]:
    """Is there one watcher at most, whatever happens?"""
    path = case.settings.lock
    if not path.exists():
        if has_no_lock(path, case.last_run, case.now) and case.last_run is not None:
            text = f"a watcher runs, and its lock {path} was deleted: a second one may start"
            yield Finding("lock", State.WRONG, text, f"kill {case.last_run.pid} (nothing is lost)")
        else:
            yield Finding("lock", State.OK, "no watcher has run yet")
        return
    hint = "put the home on a local disk: CLAUDE_MEM_HOME=… claude-mem install"
    try:
        state = system.look_at_lock(path)
    except PermissionError as error:
        yield Finding("lock", State.WRONG, f"{path} cannot be opened: {error.strerror}", f"ls -l {path}")
        return
    except OSError as error:
        yield Finding("lock", State.WRONG, f"{path} cannot be locked: {error.strerror or error}", hint)
        return
    if state is system.LockState.BROKEN or has_no_lock(path, case.last_run, case.now):
        text = f"locks do not work on {path.parent}: two watchers could run at once"
        yield Finding("lock", State.WRONG, text, hint)
    else:
        yield Finding("lock", State.OK, f"{path} is {state}")


def watcher(case: Case) -> Iterator[Finding]:
    """Does the watcher work, and is it this version's?"""
    run = case.last_run
    pid = f"pid {run.pid}" if run else ""
    heard = case.since(run.heartbeat_at) if run else ""
    match case.life:
        case Life.ALIVE:
            yield Finding("watcher", State.OK, f"alive ({pid}, heartbeat {heard})")
        case Life.STALLED:
            text = f"stalled ({pid}): it runs, and was last heard {heard}"
            yield Finding("watcher", State.WRONG, text, "claude-mem watch --stop (nothing is lost)")
        case Life.STARTING:
            text = "a process holds the lock, and which one cannot be told; a watcher may be starting"
            yield Finding("watcher", State.WARNING, text, "claude-mem doctor (again, in a moment)")
        case Life.DEAD:
            yield _without(case, f"dead ({pid}): it was killed, and last heard {heard}; nothing is lost", State.WARNING)
        case Life.NONE:
            yield _without(case, "none runs, and none is needed" if case.has_memory else "none runs", State.OK)
    if run and case.life in (Life.ALIVE, Life.STALLED) and run.version != __version__:
        text = f"the one that runs is of claude-mem {run.version}, this is {__version__}"
        yield Finding("watcher", State.WARNING, text, _STOP)


def _without(case: Case, text: str, state: State) -> Finding:
    hint = "claude-mem watch --background (or type a prompt in claude)"
    if case.has_memory:
        with case.read() as connection:
            raised, end = health.raised(connection), health.last_end(connection)
        if end.startswith("crashed"):
            return Finding(
                "watcher", State.WARNING, f"the last one {end}", f"tail {case.settings.logs / 'watcher.log'}"
            )
        if raised.number:
            text = text.removesuffix(", and none is needed")
            return Finding("watcher", State.WARNING, f"{text}, and {counted(raised.number, 'flag')} up", hint)
    return Finding("watcher", state, text, hint if state is not State.OK else "")
