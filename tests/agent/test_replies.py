"""Answers as models write them, and what is read of each."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest

from watcher.agent import replies
from watcher.agent.base import AgentError, Batch, Observation, ObservationType, Summary, ToolUse, Turn

USES = tuple(ToolUse(f"toolu_{n}", "Bash", "{}", "") for n in range(1, 6))
WANTED = Batch("/p", (Turn(1, ("Fix it.",), USES),))
UNWANTED = Batch("/p", (Turn(1, ("Fix it.",), USES, wants_summary=False),))

FULL = """\
<observation>
  <type>bugfix</type>
  <title>Login no longer expires after 30 seconds</title>
  <subtitle>The expiry was in minutes</subtitle>
  <narrative>First sentence.
  Second sentence.</narrative>
  <facts>
    <fact>auth/session.py: 30 became 1800</fact>
    <fact>5 tests pass</fact>
  </facts>
  <concepts>
    <concept>problem-solution</concept>
    <concept>gotcha</concept>
  </concepts>
  <tool_uses>2, 4</tool_uses>
</observation>
<summary>
  <request>Fix the login</request>
  <investigated>auth/session.py</investigated>
  <learned>It was in minutes</learned>
  <completed>It is in seconds</completed>
  <next_steps>Deploy</next_steps>
  <notes>None</notes>
</summary>
"""
FULL_OBSERVATION = Observation(
    type=ObservationType.BUGFIX,
    title="Login no longer expires after 30 seconds",
    subtitle="The expiry was in minutes",
    narrative="First sentence.\nSecond sentence.",
    facts=("auth/session.py: 30 became 1800", "5 tests pass"),
    concepts=("problem-solution", "gotcha"),
    tool_use_ids=("toolu_2", "toolu_4"),
)
FULL_SUMMARY = Summary("Fix the login", "auth/session.py", "It was in minutes", "It is in seconds", "Deploy", "")


def answered(text: str, batch: Batch) -> tuple[tuple[Observation, ...], Summary | None]:
    """What is read of an answer about one turn."""
    observations, summaries = replies.read(text, batch)
    assert set(summaries) <= {1}
    return observations, summaries.get(1)


def one(text: str) -> Observation:
    """The single observation of an answer."""
    (observation,), _ = answered(text, UNWANTED)
    return observation


def observed(inner: str) -> str:
    return f"<observation>{inner}</observation>"


@pytest.mark.parametrize(
    "text",
    [
        FULL,
        f"```xml\n{FULL}```",
        f"Here is the memory of the turn:\n\n{FULL}\nI hope this helps!",
        "```\n" + FULL.replace("<summary>", "```\nAnd the summary:\n```xml\n<summary>") + "```",
        f"I write <observation> blocks, then one <summary>.\n{FULL}",
        FULL.replace("<observation>", "<OBSERVATION>").replace("<title>", "<Title>").replace("</title>", "</TITLE>"),
        FULL.replace("<observation>", '<observation id="1" lang="en">').replace("<fact>", '<fact n="1">'),
        FULL.replace("</summary>\n", ""),
        FULL.replace("</observation>\n", ""),
        FULL.replace("</title>", "").replace("</concepts>", "").replace("</facts>", ""),
        FULL.replace("</narrative>", "").replace("</tool_uses>", "").replace("</next_steps>", ""),
        FULL.replace("<notes>None</notes>", "<notes/>"),
        FULL.replace("<notes>None</notes>", ""),
        FULL.replace("    <fact>", "    - ").replace("</fact>", ""),
        FULL.replace("<facts>\n", "").replace("  </facts>\n", ""),
        FULL.replace("<fact>", "").replace("</fact>", ""),
        FULL.replace("</fact>", ""),
        FULL.replace("<concept>", "").replace("</concept>", ","),
        FULL.replace("problem-solution", "Problem solution"),
        FULL.replace("2, 4", "n=2 and n=4, and 17"),
        FULL.replace("  <type>bugfix</type>\n", "").replace("<observation>", '<observation type="bugfix">'),
        f"<observations>\n{FULL.replace('<summary>', '</observations><summary>')}",
        FULL.replace("</tool_uses>", "</tool_uses></observation><observation></observation><observation>"),
        FULL.replace("First sentence.", "<![CDATA[First sentence.").replace("Second sentence.", "Second sentence.]]>"),
    ],
)
def test_one_answer_written_in_many_ways(text: str) -> None:
    assert answered(text, WANTED) == ((FULL_OBSERVATION,), FULL_SUMMARY)


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        ("if a < b && c > d", "if a < b && c > d"),
        ("if a &lt; b &amp;&amp; c &gt; d", "if a < b && c > d"),
        ("write &amp;lt; for <", "write &lt; for <"),
        ("&quot;x&quot; &#39;y&#39; &nbsp; R&D", "\"x\" 'y' &nbsp; R&D"),
        ("a List<String> and a <div>", "a List<String> and a <div>"),
        ("answers end in one <summary>, or in </summary>", "answers end in one <summary>, or in </summary>"),
        ("it looks for </observation> in the text", "it looks for </observation> in the text"),
        (
            "it reads <summary><request>x</request></summary> blocks",
            "it reads <summary><request>x</request></summary> blocks",
        ),
        ("the <title> of a page", "the <title> of a page"),
        ("a <fact> and a <type>", "a <fact> and a <type>"),
        ("uses ```python fences```", "uses ```python fences```"),
        ("naïve – 日本語 🎉", "naïve – 日本語 🎉"),
    ],
)
def test_text_is_text(raw: str, read: str) -> None:
    text = observed(f"<title>T</title><narrative>{raw}</narrative>") + "<summary><request>R</request></summary>"
    assert answered(text, WANTED) == (
        (Observation(ObservationType.CHANGE, "T", narrative=read),),
        Summary(request="R"),
    )


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("bugfix", ObservationType.BUGFIX),
        (" Bug-Fix ", ObservationType.BUGFIX),
        ("fix", ObservationType.BUGFIX),
        ("DECISION", ObservationType.DECISION),
        ("discovery.", ObservationType.DISCOVERY),
        ("security-alert", ObservationType.CHANGE),
        ("bugfix | feature | refactor", ObservationType.CHANGE),
        ("", ObservationType.CHANGE),
    ],
)
def test_a_type_is_taken_as_meant_or_as_a_change(written: str, meant: ObservationType) -> None:
    assert one(observed(f"<type>{written}</type><title>T</title>")).type is meant


@pytest.mark.parametrize(
    ("numbers", "ids"),
    [
        ("1", ("toolu_1",)),
        ("3, 1", ("toolu_3", "toolu_1")),
        ("2-4", ("toolu_2", "toolu_3", "toolu_4")),
        ("1,1,1", ("toolu_1",)),
        ("0, 6, 99", ()),
        ("4-999999", ("toolu_4", "toolu_5")),
        ("5-2", ()),
        ("<n>2</n><n>5</n>", ("toolu_2", "toolu_5")),
        ("", ()),
        ("all of them", ()),
        ("12345678901234567890", ()),
    ],
)
def test_numbers_become_ids(numbers: str, ids: tuple[str, ...]) -> None:
    assert one(observed(f"<title>T</title><tool_uses>{numbers}</tool_uses>")).tool_use_ids == ids


@pytest.mark.parametrize("broken", ["</narrative>", "</observation>", "</narrative></observation>"])
def test_an_unclosed_part_does_not_swallow_the_next_block(broken: str) -> None:
    whole = "<observation><title>{}</title><narrative>N{}</narrative></observation>\n"
    text = whole.format("A", 1).replace(broken, "") + whole.format("B", 2) + "<summary><request>R</request></summary>"
    observations, summary = answered(text, WANTED)
    assert [(o.title, o.narrative) for o in observations] == [("A", "N1"), ("B", "N2")]
    assert summary == Summary(request="R")


def test_several_observations_keep_their_order_and_bounds() -> None:
    text = "".join(observed(f"<title>T{n}</title>") for n in range(80))
    observations, summary = answered(text, UNWANTED)
    assert [o.title for o in observations] == [f"T{n}" for n in range(50)]
    assert summary is None


@pytest.mark.parametrize(
    ("cut", "titles", "last"),
    [
        ("<title>Second</title><narrative>It was cut in the mid", ["First", "Second"], "It was cut in the mid …"),
        ("<title>Second</title><narrative>Whole.</narrative><fac", ["First", "Second"], "Whole."),
        ("<title>Second</title><narrative>Whole.</narrat", ["First", "Second"], "Whole. …"),
        ("<title>Sec", ["First"], ""),
        ("<type>bugfix</type>", ["First"], ""),
        ("<ty", ["First"], ""),
        ("", ["First"], ""),
    ],
)
def test_of_a_cut_answer_the_whole_parts_count(cut: str, titles: list[str], last: str) -> None:
    text = observed("<title>First</title>") + "\n<observation>" + cut
    observations, _ = answered(text, UNWANTED)
    assert [o.title for o in observations] == titles
    assert observations[-1].narrative == last


def test_a_title_is_made_of_the_narrative_where_it_is_missing() -> None:
    made = one(observed("<narrative>The cache is per process.\nMore of it.</narrative>"))
    assert made.title == "The cache is per process."


@pytest.mark.parametrize(
    "inner",
    ["", "<title></title>", "<type>bugfix</type>", "<title> N/A </title>", "<facts><fact>Lonely</fact></facts>"],
)
def test_an_empty_observation_is_dropped(inner: str) -> None:
    assert answered(observed(inner), UNWANTED) == ((), None)


def test_fields_are_bounded() -> None:
    long = "x" * 50_000
    facts = "".join(f"<fact>{n} {long}</fact>" for n in range(99))
    text = observed(f"<title>{long}</title><subtitle>{long}</subtitle><narrative>{long}</narrative>{facts}")
    (observation,), summary = answered(f"{text}<summary><learned>{long}</learned></summary>", WANTED)
    assert len(observation.title) == 200
    assert len(observation.subtitle) == 400
    assert len(observation.narrative) == 4_000
    assert [len(fact) for fact in observation.facts] == [500] * 20
    assert summary is not None
    assert len(summary.learned) == 2_000


def test_a_dash_is_a_bullet_at_the_beginning_only() -> None:
    inner = "<title>T</title><facts>- the retry - it works\n* 2. times\n3) a</facts>"
    assert one(observed(inner)).facts == ("the retry - it works", "2. times", "a")


def test_unknown_concepts_are_left_out() -> None:
    inner = "<title>T</title><concepts>how_it_works, magic; Trade-Off | gotcha\n- gotcha</concepts>"
    assert one(observed(inner)).concepts == ("how-it-works", "trade-off", "gotcha")


@pytest.mark.parametrize(
    ("text", "summary"),
    [
        ("<summary><request>A</request></summary>", Summary(request="A")),
        ("<summary>Did this\nand that.</summary>", Summary(completed="Did this\nand that.")),
        (
            "<summary><request>A</request></summary><summary><request>B</request><notes>C</notes></summary>",
            Summary(request="B", notes="C"),
        ),
        (
            "<summary><request>A</request></summary><summary><request>B</request></summary>",
            Summary(request="B"),
        ),
        ("<summary>\n<request>A\n<learned>B\n<completed>C", Summary(request="A", learned="B", completed="C …")),
        ("<summary><request>A</request><title>x</title></summary>", Summary(request="A")),
        (
            "<summary><learned>the <request> tag is first</learned></summary>",
            Summary(learned="the <request> tag is first"),
        ),
    ],
)
def test_summaries(text: str, summary: Summary) -> None:
    assert answered(text, WANTED) == ((), summary)


@pytest.mark.parametrize("batch", [WANTED, UNWANTED])
@pytest.mark.parametrize("text", ["", "  \n", "Nothing happened.", "API Error: 500", '{"title": "T"}', "<obs"])
def test_an_answer_without_blocks_is_unreadable(text: str, batch: Batch) -> None:
    with pytest.raises(AgentError) as caught:
        answered(text, batch)
    assert caught.value.kind == "unreadable"
    assert caught.value.may_recover


@pytest.mark.parametrize(
    "text",
    [
        "<summary></summary>",
        "<summary><request></request><notes>N/A</notes></summary>",
        "<nothing/>",
        "<observation><title>Cut in the tit",
        observed("<facts><fact>Lonely</fact></facts>"),
    ],
)
def test_a_wanted_summary_or_something_else_of_use_has_to_be_there(text: str) -> None:
    with pytest.raises(AgentError, match="no <summary>"):
        answered(text, WANTED)


@pytest.mark.parametrize(
    "rest",
    ["", "<summary>", "<summary><requ", "<summary></summary>", "\nThat is all.", "<observation><title>Second, cu"],
)
def test_observations_are_kept_where_the_summary_is_cut_off(rest: str) -> None:
    observations, summary = answered(observed("<title>First</title>") + rest, WANTED)
    assert [o.title for o in observations] == ["First"]
    assert summary is None


def test_a_summary_asked_for_alone_has_to_be_there() -> None:
    """There are no tool uses that its observations could be of: kept without it, it would be asked for for ever."""
    with pytest.raises(AgentError, match="no <summary>"):
        answered(observed("<title>T</title>"), Batch("/p", (Turn(1, ("Fix it.",), ()),)))


@pytest.mark.parametrize(
    ("cut", "summary"),
    [
        ("<request>Fix</request><completed>It was fi", Summary(request="Fix", completed="It was fi …")),
        ("<request>Fix</request><completed>Fixed.</comp", Summary(request="Fix", completed="Fixed. …")),
        ("<request>Fix</request><compl", Summary(request="Fix")),
        ("<request>Fix</request><completed>", Summary(request="Fix")),
        ("<request>Fi", Summary(request="Fi …")),
    ],
)
def test_of_a_cut_summary_the_begun_fields_count(cut: str, summary: Summary) -> None:
    assert answered(f"<summary>{cut}", WANTED) == ((), summary)


@pytest.mark.parametrize(
    "text", ["<nothing/>", "<nothing>", "```xml\n<nothing />\n```", "<observations></observations>"]
)
def test_nothing_worth_it_is_an_answer(text: str) -> None:
    assert answered(text, UNWANTED) == ((), None)


def test_a_summary_nobody_asked_for_is_dropped() -> None:
    assert answered(FULL, UNWANTED) == ((FULL_OBSERVATION,), None)


TURNS = Batch(
    "/p",
    (
        Turn(3, ("A",), USES[:2]),
        Turn(5, ("B",), USES[2:4]),
        Turn(6, ("C",), USES[4:], wants_summary=False),
    ),
)


def summed(text: str, attributes: str = "") -> str:
    return f"<summary{attributes}><request>{text}</request></summary>"


@pytest.mark.parametrize(
    ("text", "requests"),
    [
        (summed("A", ' turn="3"') + summed("B", ' turn="5"'), {3: "A", 5: "B"}),
        (summed("B", " turn='5'") + summed("A", " TURN = 3"), {3: "A", 5: "B"}),
        (summed("A") + summed("B"), {3: "A", 5: "B"}),
        (summed("A", ' turn="1"') + summed("B", ' turn="2"'), {3: "A", 5: "B"}),
        (summed("B"), {5: "B"}),
        (summed("B", ' turn="99999999999999999999"'), {5: "B"}),
        (summed("A", ' turn="3"'), {3: "A"}),
        (summed("A", ' turn="3"') + summed("B"), {3: "A", 5: "B"}),
        (summed("B", ' turn="5"') + summed("A"), {3: "A", 5: "B"}),
        (summed("A", ' turn="3"') + summed("C", ' turn="6"'), {3: "A"}),
        (summed("A", ' turn="3"') + summed("A again", ' turn="3"'), {3: "A again"}),
        (summed("A") + summed("B") + summed("C"), {5: "C"}),
        (summed("A", ' turn="3"') + '<summary turn="5"></summary>', {3: "A"}),
    ],
)
def test_summaries_go_by_the_numbers_of_their_turns(text: str, requests: dict[int, str]) -> None:
    _, summaries = replies.read(text, TURNS)
    assert summaries == {number: Summary(request=request) for number, request in requests.items()}


def test_summaries_that_are_missing_keep_nothing_else_from_counting() -> None:
    observations, summaries = replies.read(observed("<title>T</title><tool_uses>4</tool_uses>"), TURNS)
    assert [one.tool_use_ids for one in observations] == [("toolu_4",)]
    assert summaries == {}
    words_alone = Batch("/p", (Turn(3, ("A",), ()), Turn(5, ("B",), ())))
    assert replies.read(summed("A", ' turn="3"'), words_alone)[1] == {3: Summary(request="A")}
    with pytest.raises(AgentError, match="no <summary>"):
        replies.read(observed("<title>T</title>"), words_alone)


def test_an_observation_may_name_its_turn() -> None:
    text = "".join(f"<observation{turn}><title>T</title></observation>" for turn in (' turn="5"', ' turn="9"', ""))
    observations, _ = replies.read(text, TURNS)
    assert [one.turn for one in observations] == [5, None, None]


@pytest.mark.parametrize("start", ["", "<observation>", "<summary><request>"])
@pytest.mark.parametrize(
    "part",
    [
        *("<observation>", "<title>", "</observation>", "<observation><title>", "<", "&", "<fact>", "<title>x</title>"),
        *(" ", "<![CDATA[", "<summary><observation><type>", "<title>T</title><fact> <![CDATA[", "<title>T<subtitle>"),
    ],
)
def test_no_garbage_takes_long(start: str, part: str) -> None:
    """A reader whose time grew with the square would take minutes for this."""
    started = time.perf_counter()
    with suppress(AgentError):
        answered(start + part * (64_000 // len(part)), UNWANTED)
    assert time.perf_counter() - started < 5  # seconds
