from __future__ import annotations

import pytest

from watcher.recall.line import MOST, session_line

FIX = "Parsing durations fails on days. Please find out why."


@pytest.mark.parametrize(
    ("title", "requests", "outcome", "line"),
    [
        ("", [], "", ""),
        ("Fix the parser", [FIX], "", "Fix the parser"),
        ("Fix the parser", [FIX], "Days count 86400. Tests pass.", "Fix the parser → Days count 86400."),
        ("", [FIX], "", "Parsing durations fails on days."),
        ("", [FIX], "Fixed.", "Parsing durations fails on days → Fixed."),
        ("", [], "Fixed.", "Fixed."),
        ("Fixed.", [], "Fixed.", "Fixed."),
        ("  Fix\nthe parser ", [], "", "Fix the parser"),
        # What is asked first is often only a word.
        ("", ["Hi!", "/clear", "Go on.", FIX], "", "Parsing durations fails on days."),
        ("", ["Go on."], "", "Go on."),
        ("", ["", "# A heading"], "", "# A heading"),
        ("", ["修复登录的错误。谢谢"], "修好了。", "修复登录的错误 → 修好了。"),
        # Of Markdown the words alone.
        ("", [], "## Done\n\n- **Days** count 86400\n- Tests pass", "Days count 86400"),
        ("", ["```\nTraceback\n```\nWhy does this fail?"], "", "Why does this fail?"),
        ("", ["Rename a.py and v1.2 to b"], "1. `a.py` is `b.py`", "Rename a.py and v1.2 to b → `a.py` is `b.py`"),
    ],
)
def test_a_session_is_told_by_its_title_or_first_request_and_what_came_of_it(
    title: str, requests: list[str], outcome: str, line: str
) -> None:
    assert session_line(title, requests, outcome) == line


@pytest.mark.parametrize("most", [40, 77, MOST])
@pytest.mark.parametrize("asked", ["a few words here", "word " * 100])
@pytest.mark.parametrize("outcome", ["x" * 500, "It works."])
def test_a_line_is_bounded_and_both_sides_have_room(most: int, asked: str, outcome: str) -> None:
    line = session_line("", [asked], outcome, most=most)
    assert len(line) <= most
    assert "\n" not in line
    told, came_to = line.split(" → ")
    assert len(told) >= min(len(asked.strip()), most // 2)
    assert len(came_to) >= min(len(outcome), most // 4)
