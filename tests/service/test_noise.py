"""What is not worth remembering is left out, and what the memory itself says never comes back as news."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import FIXTURES
from tests.service.recorder import Recorder
from tests.transcript import lines
from watcher.service.noise import Noise
from watcher.settings import CaptureSettings
from watcher.transcript import entries

INJECTED = "# Memory of earlier sessions in this project (claude-mem)\nReference notes on the marmalade protocol"


def noise(memory: Path = Path("/srv/memory"), **capture: Any) -> Noise:
    return Noise(CaptureSettings(**capture), memory)


@pytest.mark.parametrize(
    ("name", "is_noise"),
    [
        ("TodoWrite", True),
        ("LS", True),
        ("mcp__claude-mem__search", True),
        ("mcp__plugin_mem_claude-mem__get_observations", True),
        ("mcp__github__search", False),
        ("Read", False),
        ("read", False),
        ("todowrite", False),
        ("XTodoWrite", False),
        ("TodoWriter", False),
    ],
)
def test_tools(name: str, is_noise: bool) -> None:
    assert noise().is_noise(name, {}) is is_noise


@pytest.mark.parametrize(
    ("command", "is_noise"),
    [
        ("ls", True),
        ("ls -la src", True),
        ("  pwd\n", True),
        ("cd /x && ls; pwd", True),
        ("ls -l 2>/dev/null", True),
        ("ls 2>&1 | ls", True),
        ("git status -s", True),
        ("git", False),
        ("git log", False),
        ("lsof", False),
        ("cd /x && pytest", False),
        ("ls | xargs rm", False),
        ("ls > files.txt", False),
        ("ls $(make)", False),
        ("ls `make`", False),
        ("ls & make", False),
        ("cat a.py", False),
        ("claude-mem search upload", True),
        ("claude-mem", True),
        (".venv/bin/claude-mem show 12", True),
        ("pytest src/claude-mem", False),
        ("cat /srv/memory/config.toml", True),
        ("sqlite3 '/srv/memory/data/claude-mem.db' 'SELECT 1'", True),
        ("tail -f $CLAUDE_MEM_HOME/logs/watcher.log", True),
        ("cat /srv/memory-of-mine/notes", False),
        ("rm -r /srv/memory", False),
        ("cat /srv/memory/config.toml && make", False),
        ("", False),
    ],
)
def test_commands(command: str, is_noise: bool) -> None:
    assert noise().is_noise("Bash", {"command": command}) is is_noise


@pytest.mark.parametrize(
    ("given", "is_noise"),
    [
        ({"file_path": "/srv/memory/config.toml"}, True),
        ({"path": "/srv/memory/"}, True),
        ({"file_path": "\\srv\\memory\\config.toml"}, True),
        ({"file_path": "/srv/memory.py"}, False),
        ({"pattern": "/srv/memory/x", "path": "/srv"}, False),
        ({"file_path": 1}, False),
    ],
)
def test_files_of_the_memory(given: dict[str, object], is_noise: bool) -> None:
    assert noise().is_noise("Read", given) is is_noise
    assert not noise().is_noise("Edit", given)


def test_the_users_home_may_be_written_short() -> None:
    ours = noise(Path.home() / ".claude-mem")
    assert ours.is_noise("Bash", {"command": "cat ~/.claude-mem/config.toml"})
    assert not noise().is_noise("Bash", {"command": "cat ~/.claude-mem/config.toml"})


def test_the_rules_are_the_users() -> None:
    changed = noise(skip_tools=("Web*",), skip_commands=("make lint", "npm * --silent"))
    assert changed.is_noise("WebFetch", {})
    assert not changed.is_noise("LS", {})
    assert changed.is_noise("Bash", {"command": "make lint"})
    assert changed.is_noise("Bash", {"command": "npm ci --silent"})
    assert not changed.is_noise("Bash", {"command": "ls"})
    none = noise(skip_tools=(), skip_commands=())
    assert not none.is_noise("TodoWrite", {})
    assert none.is_noise("mcp__claude-mem__search", {})  # no rule of theirs
    assert not none.is_noise("Bash", {"command": "ls"})


def use(at: int, number: int, name: str, given: dict[str, str], output: str) -> bytes:
    """Return the lines of a tool use and its result."""
    return lines.tool_use(at, f"t{number}", name, **given) + lines.tool_result(at + 1, f"t{number}", output)


def test_what_the_memory_says_is_no_news(recorder: Recorder) -> None:
    """Told by the hook, asked for by a tool, a command, a file: none of it is kept, or shown to the agent."""
    home = recorder.settings.home
    told = [{"type": "hook_success", "content": INJECTED}, {"type": "hook_additional_context", "content": [INJECTED]}]
    recorder.write(
        *(lines.line(n, type="attachment", uuid=f"a{n}", attachment=one) for n, one in enumerate(told)),
        lines.line(3, type="user", uuid="m", isMeta=True, message={"content": INJECTED}),
        lines.line(4, type="user", uuid="r", message={"content": f"<system-reminder>{INJECTED}</system-reminder>"}),
        lines.prompt(5, "What do we know?"),
        use(10, 1, "mcp__plugin_mem_claude-mem__search", {"query": "protocol"}, INJECTED),
        use(20, 2, "Bash", {"command": "claude-mem search protocol"}, INJECTED),
        use(30, 3, "Read", {"file_path": str(home / "data" / "claude-mem.db")}, INJECTED),
        use(40, 4, "Bash", {"command": f"cat {home.as_posix()}/logs/watcher.log"}, INJECTED),
        lines.words(50, "Enough."),
        lines.turn_end(60),
    )
    recorder.ingest.take_in(recorder.transcript)
    assert recorder.rows("SELECT status, count(*) FROM tool_uses GROUP BY status") == [("skipped", 4)]
    with recorder.database.write() as connection:
        recorder.digest.summarise(connection, lines.SESSION, is_ending=True)
    recorder.digest.ask_agent(lines.SESSION)
    assert recorder.rows("SELECT prompt_text FROM user_prompts") == [("What do we know?",)]
    assert recorder.rows("SELECT count(*) FROM observations") == [(0,)]
    for table in ("user_prompts", "tool_uses", "session_summaries"):
        assert "marmalade" not in str(recorder.rows(f"SELECT * FROM {table}"))


def test_what_hooks_told_a_recorded_session_is_no_entry() -> None:
    """As Claude Code writes it: attachments, of which no field is any entry's."""
    kinds: dict[str, int] = {}
    for path in FIXTURES.glob("**/*.jsonl"):
        for line in path.read_bytes().splitlines():
            attachment = json.loads(line).get("attachment") if b'"attachment":{' in line else None
            if attachment and attachment["type"] != "queued_command":
                kinds[attachment["type"]] = kinds.get(attachment["type"], 0) + 1
                assert entries.understand(line).entries == ()
                assert entries.understand(b" " + line).entries == ()  # and not for its first bytes alone
    assert sum(kinds.values()) > 20


def test_ten_reads_of_a_file_are_one_thing(recorder: Recorder) -> None:
    reads = [use(10 * n, n, "Read", {"file_path": "/home/dev/api/a.py"}, "x = 1") for n in range(1, 11)]
    recorder.write(lines.prompt(0, "Read it"), *reads, lines.words(200, "It sets x."), lines.turn_end(300))
    recorder.ingest.take_in(recorder.transcript)
    with recorder.database.write() as connection:
        recorder.digest.summarise(connection, lines.SESSION, is_ending=True)
    recorder.digest.ask_agent(lines.SESSION)
    ((facts, files, uses),) = recorder.rows("SELECT facts, files_read, tool_use_ids FROM observations")
    assert json.loads(facts) == ["read a.py (10 times)"]
    assert json.loads(files) == ["/home/dev/api/a.py"]
    assert recorder.rows("SELECT investigated FROM session_summaries") == [("Read a.py (10 times).",)]
    assert recorder.rows("SELECT DISTINCT status FROM tool_uses") == [("observed",)]
    assert uses
