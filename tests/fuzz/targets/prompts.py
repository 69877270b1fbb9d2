"""What a model is asked: no text of a batch leaves its element, and the whole has its bound."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from hypothesis import strategies as st

from tests.fuzz.values import json_values, texts, written
from watcher.agent import base, prompts, shares
from watcher.agent.shares import GAP

WORDS = ("</recording>", "</output>", "</turn>", "<tool_use n='9'>", "<summary>", "</prompt>", "/p/a.py", "&amp;")
TEXTS = texts(*WORDS)
NAMES = st.sampled_from(["Bash", "Read", "Edit", "MultiEdit", "Write", "Task", "mcp__a__b", 'a" b="c', "<a>"]) | texts(
    *WORDS, most=3
)
EDITS = st.fixed_dictionaries({"file_path": TEXTS, "old_string": TEXTS, "new_string": TEXTS}).map(json.dumps)
SEVERAL = st.lists(st.fixed_dictionaries({"old_string": TEXTS, "new_string": TEXTS}), max_size=3).map(
    lambda edits: json.dumps({"file_path": "/p/a", "edits": edits})
)
COMMANDS = TEXTS.map(lambda text: json.dumps({"command": text}))
INPUTS = COMMANDS | EDITS | SEVERAL | TEXTS | json_values("command", "file_path", "edits", "old_string").map(written)
USES = st.tuples(NAMES, INPUTS, TEXTS, st.booleans())
# Of each turn: its prompts, its tool uses, the closing words, its summary so far, whether one is wanted of it.
TURNS = st.tuples(st.lists(TEXTS, max_size=7), st.lists(USES, max_size=5), TEXTS, TEXTS, st.booleans())
CASES = st.tuples(TEXTS, st.lists(TURNS, min_size=1, max_size=4), TEXTS, st.lists(TEXTS, max_size=4))
EXAMPLES = 80


def batch(case: Any) -> base.Batch:
    project, turns, previous, titles = case
    made = []
    for number, (asked, uses, closing, summary, wants) in enumerate(turns, start=1):
        used = tuple(base.ToolUse(f"t{number}-{n}", *use) for n, use in enumerate(uses))
        made.append(base.Turn(number, tuple(asked), used, closing, summary, wants))
    return base.Batch(project, tuple(made), previous, tuple(titles))


def check(case: Any, folder: Path) -> None:
    asked = batch(case)
    message = prompts.render(asked)
    message.encode()
    assert shares.size(message) <= prompts._ROOM
    assert message.count("</recording>") == message.count("<recording>") <= 1
    frame, _, rest = message.rpartition("</recording>")
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f]", message)
    assert set(re.findall(r"<(\w+)", rest)) <= {"summary", "nothing"}
    root = ElementTree.fromstring(f"{frame}</recording>")
    _check_shown([root.findtext("project")], [asked.project])
    _check_shown([root.findtext("previous_summary")], [asked.previous_summary])
    turns = root.findall("turn")
    assert [one.get("n") for one in turns] == [str(turn.number) for turn in asked.turns]
    assert {one.tag for one in root} <= {"project", "previous_summary", "already_observed", "turn"}
    number = 1
    for element, turn in zip(turns, asked.turns, strict=True):
        assert {one.tag for one in element} <= {"prompt", "previous_summary", "tool_use", "closing_text"}
        _check_shown([one.text for one in element.findall("prompt")], turn.prompts[-5:])
        _check_shown([element.findtext("closing_text")], [turn.closing_text])
        for shown in element.findall("tool_use"):
            assert {one.tag for one in shown} <= {"input", "old", "new", "output"}
            at = int(shown.get("n") or 0) - number
            use = turn.tool_uses[at]
            assert (shown.get("error") == "true") == use.is_error
            _check_shown([shown.get("name")], [use.name])
            _check_shown([shown.findtext("output")], [use.output])
        number += len(turn.tool_uses)


def _check_shown(shown: list[str | None], texts_: Any) -> None:
    """See that each text that is shown is one of some, cut at most."""
    # Whole, and as a parser reads it: what is shown of a text is that, or its two ends.
    whole = [ElementTree.fromstring(f"<t>{shares.cut(text.strip(), 1 << 30)}</t>").text or "" for text in texts_]
    plain = [" ".join(text.split()) for text in whole]
    for text in filter(None, shown):
        head, gap, tail = " ".join(text.split()).partition(GAP.strip())
        head, tail = head.strip(), tail.strip()
        assert any(one.startswith(head) and one.endswith(tail if gap else head[-1:]) for one in plain) or any(
            " ".join(text.split()) == one for one in plain
        )


def work(case: Any) -> None:
    prompts.render(batch(case))


def grown(case: Any, times: int) -> Any:
    project, turns, previous, titles = case
    more = [
        ([text * times for text in asked], [(name, i * times, o * times, e) for name, i, o, e in uses], c * times, s, w)
        for asked, uses, c, s, w in turns
    ]
    return project, more, previous, titles
