"""Claude Code's own settings: whatever they hold, our hooks come and go, and the file is as it was."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from tests.fuzz.values import changed, json_bytes, json_values, parsed
from watcher import settings
from watcher.errors import ClaudeMemError
from watcher.service import claude_settings, install

WORDS = ("hooks", "Stop", "SessionStart", "matcher", "command", "args", "type", "claude-mem", "stop.py", "/x/stop.py")
_HOOK = {"type": "command", "command": "make"}
BASES = [
    parsed(json.dumps(value))
    for value in (
        {},
        {"model": "opus", "permissions": {"allow": ["Bash(ls)"]}, "env": {"A": "é", "B": "\ud83d"}},
        {"hooks": {"Stop": [{"hooks": [_HOOK]}], "PreToolUse": [{"matcher": "Bash", "hooks": [_HOOK, _HOOK]}]}},
        {"hooks": {"Stop": [], "SessionEnd": [{"hooks": []}]}, "a": 1},
        {"hooks": {}},
        {"hooks": {"Stop": [{"hooks": [{**_HOOK, "args": ["/other/hooks/stop.py", "claude-mem"]}]}]}},
    )
]
LOOKS = st.sampled_from([None, 2, 4, "\t"])
ENDS = st.sampled_from(["", "\n", "\r\n", " \n\n"])


def _looking(value: Any, indent: int | str | None, end: str) -> bytes:
    text = json.dumps(value, indent=indent, ensure_ascii=True) + end
    return (text.replace("\n", "\r\n") if end == "\r\n" else text).encode()


WHOLE = st.builds(
    _looking, st.sampled_from([{}, {"a": "é", "hooks": {}}, {"hooks": {"Stop": [{"hooks": []}]}}]), LOOKS, ENDS
)
CASES = (
    json_bytes(changed(BASES, *WORDS)) | json_bytes(changed(BASES, *WORDS)) | WHOLE | json_bytes(json_values(*WORDS))
)
EXAMPLES = 200


def check(raw: bytes, folder: Path) -> None:
    claude = folder / ".claude"
    shutil.rmtree(claude, ignore_errors=True)
    claude.mkdir()
    path = claude / "settings.json"
    path.write_bytes(raw)
    where = settings.load({"CLAUDE_MEM_HOME": str(folder / "memory"), "CLAUDE_CONFIG_DIR": str(claude)})
    try:
        install.install(where, dry_run=True)
        install.install(where)
    except ClaudeMemError as error:
        assert path.read_bytes() == raw
        assert [one.name for one in claude.iterdir()] == ["settings.json"]
        if not error.hint:
            raise
        return
    before = claude_settings.read(path.with_name(claude_settings.BACKUP)) if len([*claude.iterdir()]) > 1 else None
    after = json.loads(path.read_bytes().decode("utf-8-sig"), parse_constant=_refused)
    for event, hook in claude_settings.our_hooks().items():
        assert [one for group in after["hooks"][event] for one in group["hooks"]].count(hook) == 1
    if before:
        _check_the_rest(before.value, after)
    assert install.install(where) == []
    install.uninstall(where)
    if before and not claude_settings.with_hooks(before.value, {})[1]:  # none of ours were there
        assert path.read_bytes() == raw
        assert [one.name for one in claude.iterdir()] == ["settings.json"]
    assert not path.exists() or claude_settings.with_hooks(claude_settings.read(path).value, {})[1] == []


def _check_the_rest(before: dict[str, Any], after: dict[str, Any]) -> None:
    """See that all but hooks is what it was, and all hooks but ours are."""
    assert {name: one for name, one in before.items() if name != "hooks"} == {
        name: one for name, one in after.items() if name != "hooks"
    }
    others = [event for event in before.get("hooks", {}) if event not in claude_settings.our_hooks()]
    ours = claude_settings.with_hooks(before, {})[0].get("hooks", {})
    assert {event: ours[event] for event in others if event in ours} == {
        event: after["hooks"][event] for event in others if event in ours
    }


def _refused(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
