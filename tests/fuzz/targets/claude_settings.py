"""Claude Code's own settings: whatever they hold, our hooks come and go, and the file is as it was."""

from __future__ import annotations

import json
import shutil
from codecs import BOM_UTF8
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
    mark = BOM_UTF8 if end == "\n" else b""
    return mark + (text.replace("\n", "\r\n") if end == "\r\n" else text).encode()


WHOLE = st.builds(
    _looking, st.sampled_from([{}, {"a": "é", "hooks": {}}, {"hooks": {"Stop": [{"hooks": []}]}}]), LOOKS, ENDS
)
CASES = (
    json_bytes(changed(BASES, *WORDS)) | json_bytes(changed(BASES, *WORDS)) | WHOLE | json_bytes(json_values(*WORDS))
)
EXAMPLES = 120


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
    had_none = before is not None and not claude_settings.with_hooks(before.value, {})[1]
    if before and had_none:
        _check_the_rest(before.value, after)
        assert path.read_bytes().startswith(BOM_UTF8) == raw.startswith(BOM_UTF8)
        assert (b"\r\n" in path.read_bytes()) == (b"\r\n" in raw)
    assert install.install(where) == []
    install.uninstall(where)
    if had_none:
        assert path.read_bytes() == raw
        assert [one.name for one in claude.iterdir()] == ["settings.json"]
    assert not path.exists() or claude_settings.with_hooks(claude_settings.read(path).value, {})[1] == []


def _check_the_rest(before: dict[str, Any], after: dict[str, Any]) -> None:
    """See that all that was there is what it was, and where it was."""
    ours = claude_settings.our_hooks()
    for event, groups in after["hooks"].items():
        mine = {"hooks": [ours[event]]} if event in ours else None
        there = [group for group in groups if group != mine] if mine else groups
        assert there == before.get("hooks", {}).get(event, [])
    assert {**after, "hooks": 0} == {**before, "hooks": 0}


def _refused(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
