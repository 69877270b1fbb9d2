"""The reader of a model's answer: any text, real answers with something wrong in them."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from hypothesis import strategies as st

from tests.fuzz.values import MARKS, one_of
from watcher.agent import base, replies
from watcher.agent.prompts import CONCEPTS

_TAGS = ("observation", "summary", "type", "title", "subtitle", "narrative", "facts", "fact", "concepts", "concept",
         "tool_uses", *(field.name for field in fields(base.Summary)))  # fmt: skip
PIECES = (
    *(f"<{tag}>" for tag in _TAGS), *(f"</{tag}>" for tag in _TAGS), *(f"<{tag}/>" for tag in _TAGS),
    '<observation turn="1">', "<summary turn='2'>", '<summary turn="99999999999">', "<nothing/>", "<observations>",
    '<observation type="bugfix">', "1, 3-5", "2", "1-999999", "0", "bugfix", "gotcha", "how it works", "- a point",
    "1. a point", "none", "N/A", "<title>A title</title>", "<request>What</request>", "<![CDATA[", "]]>", "x" * 700,
    "word " * 900,
)  # fmt: skip
WHOLE = (
    "<observation><type>bugfix</type><title>It works</title><narrative>Because.</narrative>"
    "<facts><fact>A</fact></facts><concepts><concept>gotcha</concept></concepts>"
    "<tool_uses>1, 2</tool_uses></observation>",
    '<observation turn="1"><title>Words</title></observation>',
    f"<observation><title>Much</title><facts>{'- one more' * 2}\n{'- a fact' * 99}\n"
    + "- b\n" * 30
    + "</facts></observation>",
    '<summary turn="1"><request>A</request><investigated>B</investigated><learned>C</learned><completed>D</completed>'
    "<next_steps>E</next_steps><notes>F</notes></summary>",
    "<summary><request>A</request><completed>D</completed></summary>",
    '<summary turn="2">All in one piece.</summary>',
)


@st.composite
def _texts(draw: st.DrawFn) -> str:
    """Put pieces together, whole blocks with something cut out of them among them."""
    pieces = draw(st.lists(one_of(PIECES) | one_of(WHOLE) | one_of(MARKS) | st.text(max_size=4), max_size=14))
    text = "".join(pieces) * draw(st.sampled_from([1, 1, 1, 1, 60]))
    for _ in range(draw(st.integers(0, 2))):
        start = draw(st.integers(0, len(text)))
        text = text[:start] + text[start + draw(st.integers(0, 12)) :]
    return text


# Of each turn: its number, how many tool uses it has, whether a summary of it is wanted.
TURNS = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 5), st.booleans()), min_size=1, max_size=3,
                 unique_by=lambda turn: turn[0])  # fmt: skip
CASES = st.tuples(_texts(), TURNS)
EXAMPLES = 300


def batch(turns: list[tuple[int, int, bool]]) -> base.Batch:
    return base.Batch(
        "/p",
        tuple(
            base.Turn(
                number,
                ("Do it",),
                tuple(base.ToolUse(f"t{number}-{n}", "Bash", "{}", "") for n in range(uses)),
                wants_summary=wants,
            )
            for number, uses, wants in turns
        ),
    )


def check(case: tuple[str, list[tuple[int, int, bool]]], folder: Path) -> None:
    text, turns = case
    asked = batch(turns)
    try:
        observations, summaries = replies.read(text, asked)
    except base.AgentError as error:
        if error.kind == "unreadable":
            return
        raise
    assert summaries or (observations and asked.tool_uses) or not asked.wanted  # else the asking would have no end
    assert len(observations) <= 50
    assert set(summaries) <= set(asked.wanted)
    for one in observations:
        _check_observation(one, asked)
    for summary in summaries.values():
        assert summary
        for field in fields(summary):
            _check_text(getattr(summary, field.name), 2002)


def _check_observation(one: base.Observation, asked: base.Batch) -> None:
    assert one.type in base.ObservationType
    assert one.title.strip()
    assert "\n" not in one.title + one.subtitle
    _check_text(one.title, 200)
    _check_text(one.subtitle, 400)
    _check_text(one.narrative, 4002)
    assert len(one.facts) <= 20
    for fact in one.facts:
        assert fact.strip()
        _check_text(fact, 500)
    assert set(one.concepts) <= set(CONCEPTS)
    assert len(set(one.concepts)) == len(one.concepts)
    assert set(one.tool_use_ids) <= {use.tool_use_id for use in asked.tool_uses}
    assert len(set(one.tool_use_ids)) == len(one.tool_use_ids)
    assert one.turn is None or one.turn in [turn.number for turn in asked.turns]


def _check_text(text: str, most: int) -> None:
    assert len(text) <= most
    text.encode()


def work(case: tuple[str, list[tuple[int, int, bool]]]) -> None:
    try:
        replies.read(case[0], batch(case[1]))
    except base.AgentError:
        return


def grown(case: tuple[str, list[tuple[int, int, bool]]], times: int) -> tuple[str, list[tuple[int, int, bool]]]:
    return case[0] * times, case[1]
