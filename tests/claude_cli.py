"""Owns the real Claude Code CLI in tests: where it is, the clean world it runs in, and driving it.

    environment = clean_environment(home, api.url)
    seed_home(home, trusted=[project])
    run_print("Fix the bug.", environment=environment, cwd=project, args=ALLOW_TOOLS)
    with Interactive(environment=environment, cwd=project) as claude:
        claude.type_line("Fix the bug.")
        claude.wait_for("Fixed.")
        claude.exit()

Every wait is bounded, and no process outlives the call or the `with` block that started it.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pexpect
import psutil
import pyte

API_KEY = "scripted-api-key-of-no-worth-0123456789"
ALLOW_TOOLS = ("--permission-mode", "default", "--allowedTools", "Bash", "Read", "Edit", "Write", "Agent")
"""Arguments that let the tools of a test run unasked, as root too, where no run may skip permissions as such.

The mode is named because the screen's own default asks the real API about each tool use."""

COLUMNS, LINES = 160, 50
WAIT_TIMEOUT = 30.0  # seconds
PRINT_TIMEOUT = 90.0  # seconds
POLL_INTERVAL = 0.05  # seconds

KEYS = {
    "enter": "\r",
    "escape": "\x1b",
    "tab": "\t",
    "up": "\x1b[A",
    "down": "\x1b[B",
    "backspace": "\x7f",
    "ctrl-c": "\x03",
    "ctrl-d": "\x04",
}


class CLITimeoutError(AssertionError):
    """What was waited for did not come; the message holds what was there instead."""


@dataclass(frozen=True)
class Finished:
    """How a run ended. `code` is negative where a signal ended it."""

    code: int
    stdout: str
    stderr: str


def cli_path() -> Path:
    """The CLI that claude-agent-sdk bundles."""
    spec = importlib.util.find_spec("claude_agent_sdk")  # importing it takes a second and more
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "_bundled" / "claude"


def clean_environment(home: Path, api_url: str, **extra: str) -> dict[str, str]:
    """An environment in which the CLI knows only `home` and talks only to `api_url`.

    Built from nothing: of the test's own environment only PATH comes along, so no CLAUDE_*, ANTHROPIC_* or
    proxy variable can. `extra` is added last.
    """
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
        "HOME": str(home),
        "CLAUDE_CODE_TMPDIR": str(home / ".tmp"),  # sockets and background output, which sessions share otherwise
        "ANTHROPIC_BASE_URL": api_url,
        "ANTHROPIC_API_KEY": API_KEY,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        "DISABLE_TELEMETRY": "1",
        "DISABLE_ERROR_REPORTING": "1",
        **extra,
    }


def seed_home(home: Path, trusted: Iterable[Path] = ()) -> None:
    """Answer beforehand what the screen asks a newcomer: theme, API key, and whether a folder is trusted."""
    home.mkdir(parents=True, exist_ok=True)
    path = home / ".claude.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    known |= {
        "hasCompletedOnboarding": True,
        "theme": "dark",
        "customApiKeyResponses": {"approved": [API_KEY[-20:]], "rejected": []},
    }
    for project in trusted:
        known.setdefault("projects", {})[str(project.resolve())] = {
            "hasTrustDialogAccepted": True,
            "hasCompletedProjectOnboarding": True,
        }
    path.write_text(json.dumps(known, indent=2), encoding="utf-8")


def transcripts(home: Path) -> list[Path]:
    """Every main transcript below a home's Claude directory, oldest first."""
    found = (home / ".claude" / "projects").glob("*/*.jsonl")
    return sorted(found, key=lambda path: path.stat().st_mtime_ns)


@contextmanager
def started_print(
    prompt: str, *, environment: Mapping[str, str], cwd: Path, args: Sequence[str] = ()
) -> Iterator[subprocess.Popen[str]]:
    """`claude -p` under way, in a session of its own. It and all it started are gone after the block."""
    command = [str(cli_path()), "-p", prompt, *args]
    with subprocess.Popen(
        command,
        env=dict(environment),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            end_tree(process.pid)


def run_print(
    prompt: str,
    *,
    environment: Mapping[str, str],
    cwd: Path,
    args: Sequence[str] = (),
    timeout: float = PRINT_TIMEOUT,  # seconds
) -> Finished:
    """Run `claude -p <prompt> <args>` to its end."""
    with started_print(prompt, environment=environment, cwd=cwd, args=args) as process:
        try:
            stdout, stderr = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired as late:
            output = f"{late.stdout!r}\n{late.stderr!r}"
            raise CLITimeoutError(f"claude -p did not end within {timeout} s\n{output}") from None
    return Finished(process.returncode, stdout, stderr)


def run_cli(*args: str, environment: Mapping[str, str], cwd: Path, timeout: float = PRINT_TIMEOUT) -> Finished:
    """Run another of the CLI's commands, such as `plugin install`, to its end."""
    done = subprocess.run(
        [str(cli_path()), *args],
        env=dict(environment),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        start_new_session=True,
        check=False,
    )
    return Finished(done.returncode, done.stdout, done.stderr)


def wait_until(
    holds: Callable[[], object], *, timeout: float = WAIT_TIMEOUT, otherwise: Callable[[], str] = str
) -> None:
    """Wait until `holds()` is true, or raise with what `otherwise()` tells."""
    deadline = time.monotonic() + timeout
    while not holds():
        if time.monotonic() > deadline:
            raise CLITimeoutError(f"not within {timeout} s: {otherwise()}")
        time.sleep(POLL_INTERVAL)


def end_tree(pid: int) -> None:
    """SIGKILL a process and its descendants, those in process groups of their own too (the Bash tool's are).

    This is also how a test plays `kill -9`: killed alone, the CLI would leave its commands running, unfindable.
    Waiting for `pid` itself is left to its parent, who alone learns how it ended.
    """
    try:
        root = psutil.Process(pid)
        descendants = root.children(recursive=True)
    except psutil.NoSuchProcess:
        return
    for process in [root, *descendants]:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(descendants, timeout=5)  # seconds


class Interactive:
    """The CLI's own screen, driven through a pseudo-terminal as a person drives it."""

    def __init__(self, *, environment: Mapping[str, str], cwd: Path, args: Sequence[str] = ()) -> None:
        self._screen = pyte.Screen(COLUMNS, LINES)
        self._stream = pyte.Stream(self._screen)
        self._child: pexpect.spawn[str] = pexpect.spawn(
            str(cli_path()),
            list(args),
            env=dict(environment),
            cwd=str(cwd),
            dimensions=(LINES, COLUMNS),
            encoding="utf-8",
            codec_errors="replace",
        )
        self._child.delaybeforesend = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """The CLI's process, the leader of a session of its own."""
        pid = self._child.pid
        assert pid is not None
        return pid

    def screen(self) -> str:
        """What a person would see now."""
        self._read(0.0)
        return "\n".join(line.rstrip() for line in self._screen.display).strip("\n")

    def wait_for(self, *texts: str, timeout: float = WAIT_TIMEOUT) -> str:
        """Wait until one of the texts is on the screen, and return which."""
        deadline = time.monotonic() + timeout
        while True:
            screen = self.screen()
            for text in texts:
                if text in screen:
                    return text
            if not self._child.isalive():
                raise CLITimeoutError(f"the CLI ended before {texts} was on its screen:\n{screen}")
            if time.monotonic() > deadline:
                raise CLITimeoutError(f"none of {texts} on the screen within {timeout} s:\n{screen}")
            self._read(POLL_INTERVAL)

    def wait_ready(self, timeout: float = WAIT_TIMEOUT) -> None:
        """Wait until the prompt line is there."""
        self.wait_for("❯", timeout=timeout)

    def type_text(self, text: str) -> None:
        """Type without sending, and wait until it is on the screen.

        Keys that arrive together with the text, as they would at a CLI still busy starting, count as pasted.
        """
        self._child.send(text)
        ending = _squeezed(text)[-40:]
        wait_until(lambda: ending in _squeezed(self.screen()), otherwise=self.screen)
        self._settle()

    def type_line(self, text: str) -> None:
        """Type a line and press Enter."""
        self.type_text(text)
        self.press("enter")

    def press(self, *keys: str) -> None:
        """Press keys by their names in `KEYS`, or as they are."""
        for key in keys:
            self._child.send(KEYS.get(key, key))
            self._settle()

    def exit(self, timeout: float = WAIT_TIMEOUT) -> None:
        """Leave by `/exit` and wait for the end of the process."""
        self.type_line("/exit")
        self.wait_exit(timeout)

    def wait_exit(self, timeout: float = WAIT_TIMEOUT) -> None:
        """Wait for the end of the process."""
        deadline = time.monotonic() + timeout
        while self._child.isalive():
            if time.monotonic() > deadline:
                raise CLITimeoutError(f"the CLI did not end within {timeout} s:\n{self.screen()}")
            self._read(POLL_INTERVAL)

    def kill(self) -> None:
        """End the CLI as a power cut would: SIGKILL, no hook, no last words."""
        end_tree(self.pid)
        self.wait_exit()

    def close(self) -> None:
        """Leave nothing running."""
        if self._child.isalive():
            end_tree(self.pid)
        self._child.close(force=True)

    def _read(self, timeout: float) -> bool:
        """Take in what the CLI has drawn; whether it drew anything."""
        try:
            self._stream.feed(self._child.read_nonblocking(1 << 16, timeout))
        except (pexpect.TIMEOUT, pexpect.EOF):
            return False
        return True

    def _settle(self, quiet: float = 0.15, longest: float = 2.0) -> None:
        """Let the CLI take in a keystroke: wait until it draws no more, or `longest` (a spinner)."""
        deadline = time.monotonic() + longest
        while self._read(quiet) and time.monotonic() < deadline:
            pass


def _squeezed(text: str) -> str:
    """A text without its white space, which the screen breaks differently."""
    return "".join(text.split())
