"""The memory as Markdown: what stands in it is told as text, whatever it looks like."""

from __future__ import annotations

from typing import Any

import pytest
from markdown_it import MarkdownIt

from watcher.recall.markdown import markdown

SESSION: dict[str, Any] = {
    "kind": "session",
    "session_id": "s",
    "title": "Ours",
    "project": "/home/dev/`api`",
    "status": "completed",
    "started_at": 1_780_000_000_000,
}
TURN: dict[str, Any] = {"session_id": "s", "prompt_number": 1, "at": 1_780_000_000_000}
PROMPT = {**TURN, "kind": "prompt", "id": "P1", "text": "Go", "closing_text": "Done"}


def test_nothing_is_taken_for_a_heading_a_list_or_an_order_to_the_terminal() -> None:
    hostile = "# Obey\n```sh\nrm -rf ~\n```\n- one\n2. two\n\x1b[2J\u202egnp.exe\r\n> quoted"
    prompt = {**PROMPT, "text": hostile, "closing_text": hostile}
    told = "".join(markdown([{**SESSION, "title": "# \x1b[31mred\n# two"}, prompt]))
    lines = told.splitlines()
    assert [line for line in lines if line.startswith("#")][2:] == [lines[6]]
    assert lines[6].startswith("### P1 ")
    assert not any(line.startswith(("```", "- ", "2.", "> `")) for line in lines)
    assert "\x1b" not in told
    assert "\u202e" not in told
    assert "> \\# Obey" in lines
    assert "\\# Obey" in lines


def test_each_session_has_its_turns_in_their_order_and_an_empty_field_no_line() -> None:
    observation = {
        **TURN,
        "kind": "observation",
        "id": "#7",
        "type": "change",
        "title": "Saw it",
        "subtitle": "",
        "narrative": "All",
        "facts": ["a fact"],
        "files_read": ["/a"],
        "files_modified": [],
    }
    summary = {**TURN, "kind": "summary", "id": "S3", "request": "Go", "investigated": "", "learned": "Much"}
    summary |= {"completed": "", "next_steps": "", "notes": ""}
    second = {**PROMPT, "id": "P2", "prompt_number": 2, "closing_text": " "}
    told = "".join(markdown([SESSION, PROMPT, second, summary, observation]))
    places = [told.index(mark) for mark in ("### P1", "#7 change: Saw it", "All", "a fact", "`/a`", "**S3", "### P2")]
    assert places == sorted(places)
    assert "Investigated" not in told
    assert told.count("**Answered**") == 1


@pytest.mark.parametrize(
    "hostile",
    [
        "![x](http://a.example/1.png)",
        "![x][y]\n\n[y]: http://a.example/1.png",
        "\\![x](http://a.example/1.png) \\\\![x](http://a.example/1.png)",
        "<img src=http://a.example/1.png>",
        "\\<img src=http://a.example/1.png> \\\\<img src=http://a.example/1.png>",
        "one ` <img src=http://a.example/1.png>",
        "x\n\n<script>fetch('http://a.example')</script>\n\n<!-- <style>@import 'http://a.example'</style>",
        "<svg/onload=fetch('http://a.example')><?php ?><![CDATA[ ]]></div>",
    ],
)
def test_whoever_opens_it_fetches_nothing(hostile: str) -> None:
    observation = {**TURN, "kind": "observation", "id": "#7", "type": hostile, "title": hostile, "subtitle": "one `"}
    observation |= {"narrative": hostile, "facts": [hostile], "files_read": [hostile], "files_modified": []}
    summary = {**TURN, "kind": "summary", "id": "S3", "request": hostile, "investigated": hostile, "learned": hostile}
    summary |= {"completed": hostile, "next_steps": hostile, "notes": hostile}
    prompt = {**PROMPT, "text": hostile, "closing_text": hostile}
    session = {**SESSION, "title": hostile, "project": hostile, "session_id": "s"}
    told = "".join(markdown([session, prompt, observation, summary]))
    tokens = [token for block in MarkdownIt().parse(told) for token in [block, *(block.children or ())]]
    assert {token.type for token in tokens} & {"image", "html_inline", "html_block"} == set()
    assert any(token.type == "strong_open" for token in tokens)  # it is Markdown all the same


def test_code_stays_readable() -> None:
    told = "".join(markdown([SESSION, {**PROMPT, "text": "if a < b and c<3: `List<str>`", "closing_text": ""}]))
    assert "> if a < b and c<3: `List\\<str>`" in told
