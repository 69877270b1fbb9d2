"""Owns the settings: where things are and how much is allowed.

`config.toml` in the home, each value overridden by an environment variable: `[agent] name` by
`CLAUDE_MEM_AGENT`, any other by `CLAUDE_MEM_<SECTION>_<KEY>`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from watcher import permissions
from watcher.errors import UsageError

AGENTS = ("claude", "extractive")
MOST = 1_000_000_000  # of any number: more is neither a time that can be waited for nor a count of anything
SHOWN = 200  # characters of a value in a message
CONTEXT_PARTS = ("summary", "threads", "decisions", "sessions", "observations")


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """The `[agent]` section: who writes observations and summaries."""

    name: str = "claude"  # or "extractive": no model, no network, no login
    model: str = "haiku"  # an alias or a full model name, as `claude --model` takes it
    batch_size: int = 50  # tool uses a request
    # Bytes said without any tool use, by the human and in the closing words, since the agent was last shown what was
    # said: with fewer, nothing is asked. A question and an answer of a paragraph are no news; a page in which something
    # was decided is, and so are ten such questions. 0: it is asked about every turn.
    worth_asking: int = 1_000
    quiet: float = 20.0  # seconds without news of a session before its turns that are over make one request
    timeout: float = 120.0  # seconds a request may take in all
    max_attempts: int = 5  # tries at one batch before its tool uses count as failed
    retry_pause: float = 30.0  # seconds before the second try; doubles with each one after
    idle_limit: float = 60.0  # seconds after its last answer that the process which asks the model is kept
    # What may be spent, 0 being without end. Meant for what goes wrong, and not to be met otherwise: whoever works in
    # three sessions all day makes some 200 requests of 15,000 tokens at most, for two cents each. A session may have
    # the tokens that ten dollars buy. Dollars are as Claude Code reckons them, also where a subscription pays. What is
    # under way when they are spent is paid for all the same: two requests.
    daily_requests: int = 500  # a day is one where the user is, from midnight to midnight
    daily_dollars: float = 10.0
    session_tokens: int = 10_000_000  # in and out, over the whole life of a session
    cli_path: str = ""  # the Claude Code CLI to use; empty: the one that ships with claude-agent-sdk


@dataclass(frozen=True, slots=True)
class WatchSettings:
    """The `[watch]` section: how the watcher paces itself. All in seconds."""

    scan_interval: float = 1.0  # between two looks at the transcripts of active sessions
    discover_interval: float = 15.0  # between two looks at the whole projects folder
    closing_wait: float = 2.0  # after a Stop, for the transcript to hold the closing words
    quiet_turn: float = 300.0  # without a flag or turn end, a turn counts as over after this
    idle_session: float = 7200.0  # without a SessionEnd, a session counts as over after this
    orphan_session: float = 86_400.0  # a session still active after this long without activity has failed
    exit_after: float = 1800.0  # a background watcher leaves after this long with nothing active


@dataclass(frozen=True, slots=True)
class CaptureSettings:
    """The `[capture]` section: what is taken in, and how much of it.

    What is skipped is counted (`claude-mem status --json`), and nothing else is kept of it. `*` stands for any letters.
    """

    skip_tools: tuple[str, ...] = (
        "AskUserQuestion",
        "LS",
        "ListMcpResourcesTool",
        "Skill",
        "SlashCommand",
        "TodoWrite",
        "ToolSearch",
    )
    # Shell commands, by the words they begin with: "git status" is any that begins so. A line of several, joined by &&,
    # ; or |, is skipped where each of them is, and none writes to a file.
    skip_commands: tuple[str, ...] = (
        "cd",
        "clear",
        "claude-mem",
        "*/claude-mem",
        "date",
        "dir",
        "git status",
        "ls",
        "pwd",
        "sleep",
        "whoami",
        "which",
    )
    excerpt_chars: int = 4000  # kept of a tool use's input, and as much of its output


@dataclass(frozen=True, slots=True)
class PrivacySettings:
    """The `[privacy]` section: what is left out of the memory. It holds from then on: see `claude-mem forget`."""

    # Files, as in a .gitignore, at any depth: "secrets/**", "*.sqlite"; one that begins with / or ~/ is a whole path,
    # and capitals make no difference. Of a tool use that names one, its tool's name is kept alone. They come after
    # those that are private anyway, `.env` files and the like (watcher/privacy/ignored.py); "!.npmrc" takes one back.
    ignore: tuple[str, ...] = ()
    # Folders, as whole paths: "~/clients/**", "**/secret-*". `*` stands for any letters, and what is below is meant
    # too. Of a session that is begun in one nothing is kept at all.
    exclude: tuple[str, ...] = ()
    sdk_sessions: bool = False  # whether sessions that another program has begun, through the Agent SDK, are taken in


@dataclass(frozen=True, slots=True)
class ContextSettings:
    """The `[context]` section: what the next session reads."""

    max_units: int = 10_000  # UTF-16 units, and no more: above this Claude Code shows the model a 2 KB preview only
    parts: tuple[str, ...] = CONTEXT_PARTS  # in their order; what is not named is left out
    observations: int = 30  # recent ones listed at most
    at_prompt: int = 0  # observations that match a prompt well, told with it at most; 0: none


@dataclass(frozen=True, slots=True)
class RetentionSettings:
    """The `[retention]` section: how much of the past is kept. 0 is without end."""

    max_age: float = 0.0  # days after which a session that is over is forgotten, with all that came of it
    max_size: float = 1000.0  # megabytes of the database; above it the oldest sessions that are over are forgotten
    traces: float = 30.0  # days that lowered flags, runs of the watcher, broken lines and failed tool uses are kept
    log_size: float = 1.0  # megabytes of one log before it is put aside; one older one is kept


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, and the places that follow from the home."""

    home: Path
    claude_dir: Path  # Claude Code's own folder
    agent: AgentSettings = field(default_factory=AgentSettings)
    watch: WatchSettings = field(default_factory=WatchSettings)
    capture: CaptureSettings = field(default_factory=CaptureSettings)
    context: ContextSettings = field(default_factory=ContextSettings)
    retention: RetentionSettings = field(default_factory=RetentionSettings)
    privacy: PrivacySettings = field(default_factory=PrivacySettings)

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.home / "data" / "claude-mem.db"

    @property
    def lock(self) -> Path:
        """The file whose lock the one watcher holds."""
        return self.home / "data" / "watcher.lock"

    @property
    def starting(self) -> Path:
        """The file that hooks mark when they start a watcher, so that they start one."""
        return self.home / "data" / "watcher.starting"

    @property
    def at_prompt(self) -> Path:
        """The file that tells a hook of `[context] at_prompt`: it cannot read the settings in its time."""
        return self.home / "data" / "at-prompt"

    @property
    def excluded(self) -> Path:
        """The file that tells a hook of `[privacy] exclude`, a pattern a line; there is none where that is empty."""
        return self.home / "data" / "excluded"

    @property
    def sdk_sessions(self) -> Path:
        """The file that tells a hook of `[privacy] sdk_sessions`: it is there where that is true."""
        return self.home / "data" / "sdk-sessions"

    @property
    def flags_aside(self) -> Path:
        """The folder of the flags that hooks could not raise in the database."""
        return self.home / "data" / "flags"

    @property
    def launcher(self) -> Path:
        """The file that tells hooks which Python can run the watcher."""
        return self.home / "data" / "launcher"

    @property
    def logs(self) -> Path:
        """The folder of the watcher's and the hooks' logs."""
        return self.home / "logs"

    @property
    def config(self) -> Path:
        """The settings file; it need not exist."""
        return self.home / "config.toml"

    @property
    def projects(self) -> Path:
        """The folder below which Claude Code keeps its transcripts."""
        return self.claude_dir / "projects"


_SECTIONS: dict[str, type] = {
    "agent": AgentSettings,
    "watch": WatchSettings,
    "capture": CaptureSettings,
    "context": ContextSettings,
    "retention": RetentionSettings,
    "privacy": PrivacySettings,
}


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings of `$CLAUDE_MEM_HOME`, else `~/.claude-mem`.

    Raises:
        UsageError: the file is no TOML, or a name or value in it (or in a variable) is none we know.
        OpenToOthersError: others could have written it.
    """
    env = os.environ if environ is None else environ
    home = _folder(env, "CLAUDE_MEM_HOME", ".claude-mem")
    claude_dir = _folder(env, "CLAUDE_CONFIG_DIR", ".claude")
    permissions.check(home)
    written = _read(home / "config.toml")
    return Settings(
        home=home,
        claude_dir=claude_dir,
        agent=AgentSettings(**_section("agent", written, env)),
        watch=WatchSettings(**_section("watch", written, env)),
        capture=CaptureSettings(**_section("capture", written, env)),
        context=ContextSettings(**_section("context", written, env)),
        retention=RetentionSettings(**_section("retention", written, env)),
        privacy=PrivacySettings(**_section("privacy", written, env)),
    )


def _folder(env: Mapping[str, str], variable: str, otherwise: str) -> Path:
    """Return the folder that a variable names; where it names none, one below the user's own."""
    try:
        return Path(env.get(variable) or Path.home() / otherwise).expanduser().absolute()
    except RuntimeError as error:  # ~somebody, or nobody knows where home is
        raise UsageError(f"{variable} is no folder: {error}", hint=f"write out the whole path in {variable}") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", hint="check CLAUDE_MEM_HOME") from error
    import tomllib  # slow to import, and most have no such file

    try:
        written = tomllib.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # also a number of thousands of digits, or lists in lists in lists
        raise UsageError(f"{path} is not valid TOML: {error}", hint=f"mend or move away {path}") from error
    for name in written:
        if name not in _SECTIONS:
            raise UsageError(f"{path}: no section [{name}]", hint=f"sections are {', '.join(_SECTIONS)}")
    return written


def _section(name: str, written: Mapping[str, Any], env: Mapping[str, str]) -> dict[str, Any]:
    """Return the values of one section that differ from the defaults, checked against the defaults' types."""
    kinds = {f.name: _default(f) for f in fields(_SECTIONS[name])}
    values = written.get(name, {})
    if not isinstance(values, dict):
        raise UsageError(f"config.toml: {name} is a section", hint=f"write [{name}] on a line of its own")
    chosen: dict[str, Any] = {}
    for key, value in values.items():
        if key not in kinds:
            raise UsageError(f"config.toml: [{name}] has no {key}", hint=f"it has {', '.join(kinds)}")
        chosen[key] = _checked(f"config.toml: [{name}] {key}", value, kinds[key])
    for key, default in kinds.items():
        variable = f"CLAUDE_MEM_{name}_{key}".upper().replace("_AGENT_NAME", "_AGENT")
        if variable in env:
            chosen[key] = _checked(variable, _parsed(env[variable], default), default)
    if name == "agent" and chosen.get("name", AGENTS[0]) not in AGENTS:
        raise UsageError(f"no agent {chosen['name']!r}", hint=f"agents are {', '.join(AGENTS)}")
    for part in chosen.get("parts", ()):
        if part not in CONTEXT_PARTS or chosen["parts"].count(part) > 1:
            raise UsageError(
                f"[context] parts: {part!r} is {'twice there' if part in CONTEXT_PARTS else 'none'}",
                hint=f"name each once of {', '.join(CONTEXT_PARTS)}",
            )
    return chosen


def _default(setting: Any) -> Any:
    return setting.default


def _parsed(text: str, default: Any) -> Any:
    """Read a variable's text as the default's type; what cannot be read is left for `_checked` to refuse."""
    if isinstance(default, tuple):
        return [part.strip() for part in text.split(",") if part.strip()]
    if isinstance(default, bool):
        return {"true": True, "1": True, "false": False, "0": False}.get(text.lower(), text)
    if isinstance(default, int | float):
        try:
            return type(default)(text)
        except ValueError:
            return text
    return text


def _checked(where: str, value: Any, default: Any) -> Any:
    if isinstance(default, tuple):
        if isinstance(value, list) and all(isinstance(part, str) for part in value):
            return tuple(value)
        raise UsageError(f"{where}: a list of names, not {_shown(value)}", hint='write it as ["A", "B"]')
    if isinstance(default, bool):
        if isinstance(value, bool):
            return value
        raise UsageError(f"{where}: true or false, not {_shown(value)}", hint=f"the default is {str(default).lower()}")
    if isinstance(default, int | float):
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MOST:
            return type(default)(value)
        raise UsageError(f"{where}: a number from 0 to {MOST}, not {_shown(value)}", hint=f"the default is {default}")
    if isinstance(value, str):
        return value
    raise UsageError(f"{where}: a text, not {_shown(value)}", hint=f"the default is {default!r}")


def _shown(value: object) -> str:
    """Return a value as Python writes it, bounded: Python refuses to write a number of thousands of digits."""
    try:
        text = repr(value)
    except ValueError:
        return "that"
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
