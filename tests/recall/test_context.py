from __future__ import annotations

import re

import pytest

from tests.recall.memory import BEGUN, DAY, HOUR, PROJECT, Memory
from watcher.memory import recalled
from watcher.memory.database import driver
from watcher.recall.units import units

FIELDS = ("request", "investigated", "learned", "completed", "next_steps", "notes")


def lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("- ")]


def test_nothing_is_remembered_as_nothing(memory: Memory) -> None:
    assert memory.rendered() == ""


def test_another_projects_memory_stays_there(memory: Memory) -> None:
    memory.turn("a", 1, BEGUN, request="Go")
    with memory.database.read() as connection:
        assert recalled.summaries(driver(connection), "/home/dev/other", 10) == []
        assert recalled.with_beside(driver(connection), "/home/dev/other", now=BEGUN) == ""


def test_it_says_that_it_is_no_instruction_and_how_to_learn_more(memory: Memory) -> None:
    memory.turn("a", 1, BEGUN, request="Go")
    text = memory.rendered()
    assert "They are not instructions" in text
    assert "claude-mem search" in text
    assert "claude-mem show" in text


@pytest.mark.parametrize("text", ["x" * 9000, "👩‍💻" * 3000, "\n\n- a\n" * 2000, "word " * 2000, "語" * 9000])
def test_it_never_grows_past_its_bound(memory: Memory, text: str) -> None:
    for number in range(12):
        memory.turn(f"s{number}", 1, BEGUN + number * DAY, **dict.fromkeys(FIELDS, f"{number} {text}"))
        for index in range(4):
            title = f"{number}.{index} {text}"
            kind = "decision" if index == 1 else "change"
            memory.observe(f"s{number}", BEGUN + number * DAY, title, type=kind, files_modified=(f"/src/{text}",))
    memory.open("beside", BEGUN + 20 * DAY, text)
    for most in (0, 200, 700, 1499, 1501, 3000, 10_000, 50_000):
        whole = memory.read_at_start(BEGUN + 20 * DAY, max_units=most)
        assert units(whole) <= min(most, 10_000)
        assert units(whole) > most * 0.6 or most < 1000 or most > 10_000
        assert ("Another session" in whole) == bool(whole)
        whole.encode()  # no half characters


def test_the_last_summary_is_whole_and_its_next_steps_come_first(memory: Memory) -> None:
    """However much else there is."""
    for number in range(40):
        at = BEGUN + number * DAY
        memory.turn(f"s{number}", 1, at, **{name: f"{name} {number} " + "and more " * 60 for name in FIELDS})
        for index in range(10):
            memory.observe(f"s{number}", at + index, f"Observed thing_{number}_{index} " * 5, concepts=("gotcha",))
    text = memory.rendered()
    told = [text.index(f"{name} 39 and more") for name in ("next_steps", "request", "completed", "learned", "notes")]
    assert told == sorted(told)
    assert "investigated 39 and more" in text
    assert text.index("next_steps 39") < text.index("- ")


def test_each_part_has_its_share_however_much_the_others_say(memory: Memory) -> None:
    for number in range(60):
        at = BEGUN + number * DAY
        memory.turn(f"s{number}", 1, at, **{name: f"{name}_{number} " + f"w{number} " * 200 for name in FIELDS})
        memory.observe(f"s{number}", at, f"thing_{number} " * 20, type="decision")
        for index in range(4):
            memory.observe(f"s{number}", at + index, f"small_{number}_{index} " * 20)
    parts = memory.composed().parts
    assert [part.name for part in parts] == ["summary", "threads", "decisions", "sessions", "observations"]
    for part in parts:
        assert part.shown
        assert part.used <= part.given
        assert part.given >= min(part.share, part.claimed) - 200  # less than one item
    assert sum(part.used for part in parts) > 9000


def test_what_one_part_does_not_need_goes_to_the_others(memory: Memory) -> None:
    memory.turn("a", 1, BEGUN, request="Go")
    for index in range(60):
        memory.observe("a", BEGUN + index, f"small_{index} " * 14)
    *_, observations = memory.composed(observations=60).parts
    assert observations.used > 2 * observations.share


def test_a_turn_of_a_few_words_does_not_take_the_last_summarys_place(memory: Memory) -> None:
    memory.turn("a", 1, BEGUN, request="Port the parser", next_steps="Port the lexer")
    memory.turn("a", 2, BEGUN + HOUR, source="brief", request="Thanks!", completed="You are welcome.")
    text = memory.rendered()
    assert "## Last summary, 2026-05-29 08:00\n**Next steps**: Port the lexer" in text
    assert "**Since then**, 2026-05-29 09:00: Thanks! → You are welcome." in text
    assert "## Sessions before" not in text


def test_thanks_do_not_take_it_where_the_agent_is_asked_about_them_too(memory: Memory) -> None:
    memory.turn("a", 1, BEGUN, request="Port the parser", next_steps="Port the lexer")
    memory.turn("a", 2, BEGUN + HOUR, request="Thank you.", completed="You are welcome.")
    memory.turn("a", 3, BEGUN + 2 * HOUR, request="Well done.", completed="Thanks!", notes="")
    assert memory.rendered().index("Port the lexer") < memory.rendered().index("Thank you.")
    memory.turn("a", 4, BEGUN + 3 * HOUR, request="Thanks", notes="The user likes short answers")
    assert "## Last summary, 2026-05-29 11:00" in memory.rendered()


def test_a_session_is_one_line_whatever_its_turns(memory: Memory) -> None:
    for number in range(1, 6):
        memory.turn("long", number, BEGUN + number * HOUR, request=f"Do {number}", completed=f"Did {number}")
    memory.turn("last", 1, BEGUN + DAY, request="Look around", completed="Looked")
    assert lines(memory.rendered()) == ["- 2026-05-29 13:00 Do 1 → Did 5"]


def test_of_the_last_session_the_turns_before_are_told(memory: Memory) -> None:
    for number in range(1, 4):
        memory.turn("long", number, BEGUN + number * HOUR, request=f"Do {number}", completed=f"Did {number}")
    assert lines(memory.rendered()) == ["- 2026-05-29 10:00 Do 1 → Did 2"]


def test_a_session_of_few_words_gives_way_to_others(memory: Memory) -> None:
    memory.turn("old", 1, BEGUN, request="Port all", completed="Ported all")
    for number in range(30):
        at = BEGUN + DAY + number
        memory.turn(f"q{number}", 1, at, source="brief", request=f"What is {number}?", completed=f"It is {number}.")
    memory.turn("last", 1, BEGUN + 2 * DAY, request="Look around")
    assert "Port all → Ported all" in memory.rendered()


def test_nothing_is_told_twice(memory: Memory) -> None:
    memory.turn("a", 1, BEGUN, request="Go", next_steps="Release the parser")
    memory.turn("b", 1, BEGUN + DAY, request="Go on", next_steps="Release the parser soon; write the changelog")
    memory.observe("a", BEGUN, "Errors are values here, never exceptions", type="decision")
    memory.observe("b", BEGUN + DAY, "Errors are values, never exceptions", type="decision")
    memory.observe("b", BEGUN + DAY, "parser.py: parse() takes bytes", files_modified=("/parser.py",))
    memory.observe("c", BEGUN + DAY + 1, "parser.py: parse() takes bytes", files_modified=("/parser.py",))
    text = memory.rendered()
    assert text.count("Release the parser") == 1
    assert lines(text) == [
        "- #2 2026-05-30 08:00 [decision] Errors are values, never exceptions",
        "- 2026-05-29 08:00 Go",
        "- #4 2026-05-30 08:00 [change] parser.py: parse() takes bytes",
    ]


def test_a_decision_without_its_part_is_an_observation_like_others(memory: Memory) -> None:
    memory.observe("a", BEGUN, "SQLite it is", type="decision")
    assert lines(memory.rendered(parts=("observations",))) == ["- #1 2026-05-29 08:00 [decision] SQLite it is"]
    assert lines(memory.rendered(parts=())) == []


@pytest.mark.parametrize(
    ("values", "is_to_heed"),
    [
        ({"type": "decision"}, True),
        ({"concepts": ("what-changed", "gotcha")}, True),
        ({"concepts": ("trade-off",)}, True),
        ({"concepts": ("pattern",), "narrative": "a gotcha"}, False),
    ],
)
def test_decisions_and_gotchas(memory: Memory, values: dict[str, object], is_to_heed: bool) -> None:
    memory.observe("a", BEGUN, "This one", **values)
    text = memory.rendered()
    assert ("## Decisions and gotchas" in text) is is_to_heed
    assert text.count("This one") == 1


def test_what_is_asked_for_it_is_found_by_an_index_however_long_the_past(memory: Memory) -> None:
    memory.turn("a", 1, BEGUN, request="Go")
    asked: list[str] = []
    with memory.database.read() as connection:
        beneath = driver(connection)
        beneath.set_trace_callback(asked.append)
        recalled.summaries(beneath, PROJECT, 60)
        recalled.observations(beneath, PROJECT, 200)
        recalled.to_heed(beneath, PROJECT, 20)
        recalled.sessions(beneath, PROJECT, 15, but=[1])
        recalled.with_beside(beneath, PROJECT, now=BEGUN)
        beneath.set_trace_callback(None)
        plans = [[row[3] for row in beneath.execute(f"EXPLAIN QUERY PLAN {statement}")] for statement in asked]
    assert len(plans) == 5
    steps = [step for plan in plans for step in plan]
    assert not [step for step in steps if re.match(r"SCAN (?!recent|told|left_out|json_each|\(subquery)", step)]
    assert [step for step in plans[2] if "ix_observations_to_heed" in step]
    for plan in plans[:3]:
        assert not [step for step in plan if "TEMP B-TREE" in step]


def test_units_are_those_of_utf_16() -> None:
    assert units("a") == 1
    assert units("👩") == 2
