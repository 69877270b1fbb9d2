"""What is private: nothing of a passage is left, no folder or file that is left out is let in, and nothing raises."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from tests.fuzz.values import json_values, texts, written
from watcher.errors import UsageError
from watcher.privacy import hook_events
from watcher.privacy.excluded import Excluded
from watcher.privacy.ignored import Ignored
from watcher.privacy.passages import MARK, without_private

WORDS = (
    "<private>",
    "</private>",
    "<PRIVATE x='1'>",
    "< private >",
    "</ private>",
    "<private",
    "private",
    "<private/>",
    "[private]",
)
TEXTS = texts(*WORDS)
INSIDE = texts().map(lambda text: text.replace("<", ""))
TOKEN = "7f3kq9token"
PATTERNS = st.lists(
    st.sampled_from(["**/.env", "secrets/**", "*.pem", "!a", "/x/y", "~/z", "C:\\a", "[", "**"]) | TEXTS, max_size=3
)
TOOLS = st.sampled_from(["Bash", "Read", "Glob", "mcp__a__b", "PowerShell"])
GIVEN = json_values("command", "file_path", "path", "pattern", "cat .env", "secrets/a", "$HOME/.env", "'.e'nv").map(
    written
)
CASES = st.tuples(TEXTS, INSIDE, TEXTS, PATTERNS, st.tuples(TOOLS, GIVEN, TEXTS, TEXTS))
EXAMPLES = 150


def check(case: Any, folder: Path) -> None:
    before, inside, after, patterns, (tool, given, root, cwd) = case
    _check_passage(before, inside, after)
    _check_event(before + after)
    _check_event(given)
    arguments = _arguments(given)
    try:
        ignored = Ignored([one for one in patterns if one], folder)
    except UsageError as error:
        if not error.hint:
            raise
    else:
        ignored.names_one(tool, arguments, root, cwd)
    plain = Ignored(["**/.env", "secrets/**"], folder)
    assert plain.names_one("Read", {"file_path": f"/p/{inside.replace('/', '')[:50]}x/.env"}, "/p", root)
    assert plain.names_one("Bash", {"command": f"cat secrets/a; {after}"}, "/p", "/p")
    try:
        excluded = Excluded(patterns, folder)
    except UsageError as error:
        if not error.hint:
            raise
    else:
        excluded.holds(root)
    assert Excluded(["/clients/**"], folder).holds(f"/clients/x{inside.replace('/', '')[:50]}")


def _check_passage(before: str, inside: str, after: str) -> None:
    found = without_private(f"{before}<private>{inside}{TOKEN}{inside}</private>{after}")
    assert TOKEN not in found.text
    assert found.had_private
    assert without_private(found.text).text == found.text
    assert not found.is_wholly_private or found.text == MARK
    assert TOKEN not in without_private(f"{before}<private>{inside}{TOKEN}").text
    nested = f"{before}<PRIVATE>{inside}<private a='b'>{inside}</private>{inside}{TOKEN}</Private>{after}"
    assert TOKEN not in without_private(nested).text
    plain = without_private(inside + after.replace("<", ""))
    assert plain == (inside + after.replace("<", ""), False, False)


def _check_event(event: str) -> None:
    kept = hook_events.reduced(event)
    said = json.loads(kept)
    assert set(said) <= {hook_events.DIGEST, hook_events.CLOSING_DIGEST, *hook_events.KEPT}
    assert all(isinstance(one, str) for one in said.values())
    assert hook_events.reduced(kept) == kept
    assert set(hook_events.fields(event)) == {hook_events.CLOSING_DIGEST, *hook_events.KEPT}


def _arguments(given: str) -> dict[str, Any]:
    try:
        value = json.loads(given)
    except (ValueError, RecursionError):
        value = given
    return value if isinstance(value, dict) else {"command": given, "file_path": given}


def work(case: Any) -> None:
    before, inside, after, _, (_, _, root, cwd) = case
    without_private(before + inside + after)
    ignored = Ignored(["**/.env", "secrets/**"], Path("/home/me"))
    ignored.names_one("Bash", {"command": f".env {before}{after}"}, root[:200], cwd[:200])


def grown(case: Any, times: int) -> Any:
    before, inside, after, patterns, call = case
    return before * times, inside * times, after * times, patterns, call
