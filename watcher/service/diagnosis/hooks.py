"""Owns the checks of the hooks: that they are set up, are of this version, and that their Python can run them."""

from __future__ import annotations

import shutil
import time
from calendar import timegm
from collections.abc import Iterator
from pathlib import Path

from watcher import __version__, resources, system
from watcher.memory import health
from watcher.service import claude_settings
from watcher.service.diagnosis.finding import Case, Finding, State, counted
from watcher.service.diagnosis.plugin import Hook, Plugin, hooks_of_settings, read_plugin, version_in

PROBE_TIMEOUT = 3.0  # seconds; it takes 0.03
RECENT = 86_400_000  # milliseconds in which a hook's word, or trouble, still counts
OLDEST_PYTHON = (3, 9)
_INSTALL = "claude-mem install"

# What the hooks need of SQLite: reading JSON, and an INSERT that becomes an UPDATE.
_PROBE = """
import sys
try:
    import _sqlite3 as sqlite
except ImportError:
    import sqlite3 as sqlite
memory = sqlite.connect(":memory:")
memory.execute("CREATE TABLE t (a PRIMARY KEY, b)")
memory.execute("INSERT INTO t VALUES (json_extract('[1]', '$[0]'), 2) ON CONFLICT (a) DO UPDATE SET b = excluded.b")
print("%d.%d.%d" % sys.version_info[:3], sqlite.sqlite_version)
"""


def hooks(case: Case) -> Iterator[Finding]:
    """Are the hooks set up, for all sessions, and of this version?"""
    written = claude_settings.read(case.settings.claude_dir / "settings.json").value
    if written.get("disableAllHooks") is True:
        text = f"disableAllHooks in {case.settings.claude_dir / 'settings.json'} switches all hooks off"
        yield Finding("hooks", State.WRONG, text, "take disableAllHooks out of it")
    found = hooks_of_settings(written)
    plugin = read_plugin(case.settings.claude_dir, written)
    if found:
        yield _of_settings(found, is_current=not claude_settings.with_hooks(written, claude_settings.our_hooks())[1])
    if plugin is not None and (plugin.is_enabled or not found):
        yield _of_plugin(plugin)
    if not found and plugin is None:
        yield _missing(case)


def _of_settings(found: list[Hook], *, is_current: bool) -> Finding:
    gone = [hook for hook in found if not hook.script.is_file()]
    lacking = sorted(set(claude_settings.our_hooks()) - {hook.event for hook in found})
    versions = {version_in(hook.root) for hook in found} - {__version__}
    if gone:
        return Finding("hooks", State.WRONG, f"settings.json runs {gone[0].script}, which is not there", _INSTALL)
    if lacking:
        return Finding("hooks", State.WRONG, f"settings.json lacks the hook of {', '.join(lacking)}", _INSTALL)
    if versions:
        text = f"those in settings.json are of claude-mem {', '.join(sorted(versions))}, this is {__version__}"
        return Finding("hooks", State.WARNING, text, _INSTALL)
    if not is_current:
        text = f"those in settings.json are of another installation: {found[0].root}, run by {found[0].command}"
        return Finding("hooks", State.WARNING, text, _INSTALL)
    return Finding("hooks", State.OK, f"{counted(len(found), 'hook')} in settings.json, of this version")


def _of_plugin(plugin: Plugin) -> Finding:
    name = f"the plugin {plugin.name}"
    if not plugin.is_installed:
        hint = f"claude plugin install {plugin.name}"
        return Finding("hooks", State.WRONG, f"{name} is enabled, but not installed", hint)
    if not plugin.is_enabled:
        hint = f"claude plugin enable {plugin.name}"
        return Finding("hooks", State.WRONG, f"{name} is installed, but not enabled", hint)
    gone = [hook.script for hook in plugin.hooks if not hook.script.is_file()]
    if gone or not plugin.hooks:
        text = f"{name} lacks {gone[0] if gone else plugin.root / 'hooks' / 'hooks.json'}"
        return Finding("hooks", State.WRONG, text, f"claude plugin uninstall {plugin.name}; {_INSTALL}")
    version = version_in(plugin.root)
    if version != __version__:
        text = f"{name} is version {version}, this is {__version__}"
        return Finding("hooks", State.WARNING, text, f"claude plugin update {plugin.name}")
    where = f", in {counted(plugin.projects, 'project')} only" if plugin.projects else ""
    return Finding("hooks", State.OK, f"{name}, of this version, in {plugin.root}{where}")


def _missing(case: Case) -> Finding:
    text = "none, neither in settings.json nor as a plugin"
    heard = _last_heard(case)
    if heard and case.now - heard < RECENT:
        text += f", though one was heard {case.since(heard)} (claude --plugin-dir)"
        return Finding("hooks", State.WARNING, text, f"{_INSTALL} (for all sessions)")
    if case.is_watched:
        text += ": the watcher finds transcripts by itself, but no session is told of the ones before"
        return Finding("hooks", State.WARNING, text, _INSTALL)
    return Finding("hooks", State.WRONG, text, _INSTALL)


def _last_heard(case: Case) -> int | None:
    if not case.has_memory:
        return None
    with case.read() as connection:
        return health.last_hook(connection)


def pythons(case: Case) -> Iterator[Finding]:
    """Can the Python of the hooks, which need not be this one, run them?"""
    written = claude_settings.read(case.settings.claude_dir / "settings.json").value
    plugin = read_plugin(case.settings.claude_dir, written)
    found = hooks_of_settings(written)
    if plugin is not None and plugin.is_enabled:
        found += plugin.hooks
    first = {(hook.command, hook.root): hook for hook in found if hook.script.is_file()}
    for hook in first.values():
        yield _of_python(case, hook)


def _of_python(case: Case, hook: Hook) -> Finding:
    path = shutil.which(hook.command, path=case.environ.get("PATH"))
    if path is None:
        hint = _INSTALL if Path(hook.command).is_absolute() else f"install {hook.command}, or: {_INSTALL}"
        return Finding("python3", State.WRONG, f"{hook.command}, which is to run the hooks, is not there", hint)
    probed = _run(case, path, "-c", _PROBE)
    versions = probed.output.split()
    if probed.code != 0 or len(versions) != 2:
        text = f"{path} cannot run the hooks: {probed.problem or f'exit code {probed.code}'}"
        return Finding("python3", State.WRONG, text, _INSTALL)
    python, sqlite = versions
    text = f"{path} is Python {python} with SQLite {sqlite}"
    if tuple(int(part) for part in python.split(".")[:2]) < OLDEST_PYTHON:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        return Finding("python3", State.WRONG, f"{text}; the hooks need {oldest} or newer", _INSTALL)
    # Inside the memory's own agent a hook does nothing but answer: so it is safe to run here.
    script = hook.root / "hooks" / "session_start.py"
    answered = _run(case, path, str(script), CLAUDE_MEM_INSIDE="1")
    if answered.code != 0 or not answered.output.startswith("{"):
        why = answered.problem or f"exit code {answered.code}"
        return Finding("python3", State.WRONG, f"{path} cannot run {script}: {why}", _INSTALL)
    return Finding("python3", State.OK, f"{text}, and runs the hooks")


def _run(case: Case, python: str, *args: str, **variables: str) -> system.Ran:
    """Run something as Claude Code runs a hook, but for leaving compiled files beside the scripts."""
    command = [python, "-B", "-I", "-S", *args]
    environment = {**case.environ, **variables}
    return system.run(command, timeout=PROBE_TIMEOUT, environment=environment, folder=resources.hooks())


def log(case: Case) -> Iterator[Finding]:
    """Did a hook have trouble of late? Hooks cannot tell anybody, but for a line in their log."""
    path = case.settings.logs / "hooks.log"
    if not path.exists():
        yield Finding("hook log", State.OK, "no hook has had trouble")
        return
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 4096))
        lines = file.read().decode("utf-8", "replace").splitlines()
    moment, _, trouble = lines[-1].partition(" ") if lines else ("", "", "")
    try:
        at = timegm(time.strptime(moment, "%Y-%m-%dT%H:%M:%SZ")) * 1000
    except ValueError:
        at = 0
    if case.now - at > RECENT:
        yield Finding("hook log", State.OK, f"no hook has had trouble since a day; see {path}")
    else:
        yield Finding("hook log", State.WARNING, f"{case.since(at)}: {trouble}", f"tail {path}")
