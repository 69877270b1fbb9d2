"""Other users of the machine: what they can read, what they can have written for them, and whether a port is open.

Each case is a real home with real hooks and commands. Where the user who runs this is not root, nothing can be given
to somebody else, and those cases are not tried.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.attacks.outcome import Outcome
from tests.service.watcher_process import WatcherProcess
from watcher import resources
from watcher.errors import ClaudeMemError
from watcher.memory.database import Database

UMASKS = (0o000, 0o022)
STRANGER = 12345  # a uid
POSIX = sys.platform != "win32"
IS_ROOT = sys.platform != "win32" and os.geteuid() == 0


@dataclass
class World:
    """A user with a home, and what acts in it."""

    user: Path
    umask: int = 0o022
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self.user / ".claude-mem"

    @property
    def data(self) -> Path:
        return self.home / "data"

    def environment(self) -> dict[str, str]:
        user = str(self.user)
        return {
            "PATH": os.defpath,
            "HOME": user,
            "USERPROFILE": user,
            "CLAUDE_MEM_AGENT": "extractive",
            **self.variables,
        }

    def hook(self, script: str, **more: object) -> bytes:
        """Run a hook on an event with some fields; return what it prints."""
        event = {"session_id": "s", "cwd": "/p", "transcript_path": "/t/s.jsonl", "source": "startup", **more}
        return self.run_hook(script, json.dumps(event).encode())

    def run_hook(self, script: str, event: bytes) -> bytes:
        """Run a hook out of a copy of its own: beside a checkout's virtual environment it would start a watcher."""
        hooks = self.user / "hooks"
        if not hooks.exists():
            shutil.copytree(resources.hooks(), hooks, ignore=shutil.ignore_patterns("__pycache__"))
        command = [sys.executable, "-B", "-I", "-S", str(hooks / script)]
        return self._run(command, event).stdout

    def command(self, *args: str) -> int:
        return self._run([sys.executable, "-P", "-m", "watcher", *args], b"").returncode

    def _run(self, command: list[str], stdin: bytes) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            env=self.environment(),
            cwd=self.user,
            umask=self.umask,
            timeout=60,
            check=False,
        )


def outcomes(folder: Path) -> Iterator[Outcome]:
    """Try all of them in an empty folder."""
    yield _ports(folder / "ports")
    if not POSIX:
        return  # there the user's profile keeps others out
    for umask in UMASKS:
        yield from _modes(World(_made(folder / f"umask-{umask:03o}"), umask))
    yield _refused(folder / "writable", "others can write into the memory", _WRITABLE)
    if IS_ROOT:
        yield _refused(folder / "owners", "the memory is another user's", _OWNED)
        yield _refused(folder / "led", "another user's link leads to the memory", _LED)
    yield _links(folder / "links")


def _modes(world: World) -> Iterator[Outcome]:
    """All who make files, each where there was none before; then what was wider."""
    name = f"another user reads, umask {world.umask:03o}"
    settings = world.user / ".claude" / "settings.json"
    settings.parent.mkdir(mode=0o700)
    settings.write_text('{"env": {}}')
    settings.chmod(0o640)
    for script in ("stop.py", "session_start.py", "user_prompt_submit.py"):
        world.hook(script)
    yield _open_files(f"{name}: files of hooks", world.home)
    if world.umask:
        return  # commands take their time, and heed it the same
    assert world.command("install") == 0
    yield _open_files(f"{name}: files of install", world.home)
    backups = list(settings.parent.glob("settings.json.*"))
    wider = [path.name for path in [settings, *backups] if stat.S_IMODE(path.stat().st_mode) != 0o640]
    yield Outcome(f"{name}: settings.json and its backup", 1 + len(backups), tuple(wider))
    for path in [*world.home.rglob("*"), world.home]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    (world.data / "claude-mem.db").write_bytes(b"no database" * 1000)
    assert world.command("watch", "--background") == 0
    yield _open_files(f"{name}: files of a watcher, wide before, with a damaged memory", world.home)
    assert world.command("watch", "--stop") == 0


def _open_files(kind: str, home: Path) -> Outcome:
    found = [home, *home.rglob("*")]
    through = [str(path.relative_to(home)) for path in found if stat.S_IMODE(path.lstat().st_mode) & 0o077]
    return Outcome(kind, len(found), tuple(through))


def _refused(folder: Path, kind: str, cases: dict[str, Callable[[World], None]]) -> Outcome:
    """Let hooks and commands act where they must not; through is what did, or left something behind."""
    through = []
    tried = 0
    for name, set_up in cases.items():
        world = _with_memory(folder / name)
        set_up(world)
        world.hook("session_end.py")  # takes its copy
        before = _all_of(folder)
        for actor, act in _ACTORS.items():
            tried += 1
            if not act(world) or _all_of(folder) != before:
                through.append(f"{name}: {actor}")
                before = _all_of(folder)
    return Outcome(kind, tried, tuple(through))


def _is_quiet(script: str) -> Callable[[World], bool]:
    return lambda world: b'"continue": true' in world.hook(script)


def _fails(*args: str) -> Callable[[World], bool]:
    return lambda world: world.command(*args) == 1


# What each says of itself where it does nothing.
_ACTORS: dict[str, Callable[[World], bool]] = {
    "Stop hook": _is_quiet("stop.py"),
    "SessionStart hook": _is_quiet("session_start.py"),
    "UserPromptSubmit hook": _is_quiet("user_prompt_submit.py"),
    "status": _fails("status"),
    "install": _fails("install"),
    "watch": _fails("watch"),
}


def _give_away(path: Path) -> None:
    if sys.platform != "win32":
        os.chown(path, STRANGER, STRANGER, follow_symlinks=False)


def _moved(world: World, path: Path, *, to: str, by_stranger: bool = True) -> None:
    """Put a link in something's place, which lies elsewhere from now on."""
    target = path.rename(world.user / to)
    path.symlink_to(target)
    if by_stranger:
        _give_away(path)


def _behind_a_link(give_away: Callable[[Path], None]) -> Callable[[World], None]:
    """Let the memory lie elsewhere by a link of the user's own, and do something to that place."""

    def set_up(world: World) -> None:
        _moved(world, world.home, to="elsewhere", by_stranger=False)
        give_away(world.user / "elsewhere")

    return set_up


_WRITABLE: dict[str, Callable[[World], None]] = {
    "home, group": lambda world: world.home.chmod(0o770),
    "home, all": lambda world: world.home.chmod(0o777),
    "home, all, sticky": lambda world: world.home.chmod(0o1777),
    "home behind a link of the user's": _behind_a_link(lambda place: place.chmod(0o777)),
}
_OWNED: dict[str, Callable[[World], None]] = {
    "home": lambda world: _give_away(world.home),
    "home behind a link of the user's": _behind_a_link(_give_away),
}
_LED: dict[str, Callable[[World], None]] = {"home": lambda world: _moved(world, world.home, to="elsewhere")}


def _links(folder: Path) -> Outcome:
    """Plant links in the home, which somebody could while it was open; through is what was written by way of one."""
    names = (
        "data/claude-mem.db",
        "data/claude-mem.db-wal",
        "data/claude-mem.db-shm",
        "data/watcher.lock",
        "data/watcher.starting",
        "data/locks.failed",
        "data/at-prompt",
        "data/launcher",
        "data/flags",
        "data/flags/1-1.json",
        "logs/hooks.log",
        "logs/watcher.log",
    )
    through = []
    for number, name in enumerate(names):
        world = _with_memory(folder / str(number))
        (world.data / "launcher").write_text("/bin/echo\n")  # a watcher that says something and ends
        victim = _made(world.user / "precious") if name.endswith("flags") else world.user / "precious"
        if victim.is_file() or not victim.exists():
            victim.write_text("precious")
        victim.chmod(0o755)
        os.utime(victim, (0, 0))
        planted = world.home / name
        planted.parent.mkdir(exist_ok=True)
        planted.unlink(missing_ok=True)
        planted.symlink_to(victim)
        before = _all_of(victim)
        world.hook("stop.py", session_id="")  # which is no event, and logged
        world.hook("user_prompt_submit.py")
        with suppress(ClaudeMemError):
            Database.create(world.data / "claude-mem.db").close()
        if _all_of(victim) != before:
            through.append(name)
    return Outcome("a link planted in the memory is written through", len(names), tuple(through))


def _ports(folder: Path) -> Outcome:
    """Let a watcher and an MCP server run, and look at what they listen on."""
    listens: list[str] = []
    with WatcherProcess(_made(folder)) as watcher:
        watcher.start()
        command = [sys.executable, "-P", "-m", "watcher", "mcp"]
        with subprocess.Popen(
            command, env=watcher.environment, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as server:
            assert server.stdin is not None
            assert server.stdout is not None
            server.stdin.write(b'{"jsonrpc": "2.0", "id": 1, "method": "tools/list"}\n')
            server.stdin.flush()
            assert server.stdout.readline()
            pids = {"watcher": watcher.pid, "MCP server": server.pid}
            for name, pid in pids.items():
                found = psutil.Process(pid).net_connections(kind="all")
                # A pair of sockets that a process talks to itself by has no address.
                listens += [f"{name}: {one.laddr}" for one in found if one.laddr]
            server.stdin.close()
    return Outcome("a port or a socket is open", len(pids), tuple(listens))


def _with_memory(user: Path) -> World:
    world = World(_made(user))
    Database.create(world.data / "claude-mem.db").close()
    (world.home / "logs").mkdir(mode=0o700)
    return world


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def _all_of(path: Path) -> dict[str, object]:
    """Return all there is below a path, with its content, its owner and its mode."""
    found: Iterable[Path] = [path, *path.rglob("*")]
    return {
        str(one): (one.lstat().st_mode, one.lstat().st_uid, one.read_bytes() if one.is_file() else b"") for one in found
    }
