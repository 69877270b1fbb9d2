from __future__ import annotations

import pytest

from tests.recall.memory import BEGUN, DAY, HOUR, Memory
from watcher.memory import recalled
from watcher.memory.database import driver
from watcher.recall.threads import items, open_threads


def still_open(memory: Memory) -> list[str]:
    with memory.database.read() as connection:
        summaries = recalled.summaries(driver(connection), "/home/dev/api", 60)
        seen = recalled.observations(driver(connection), "/home/dev/api", 200)
    return [thread.text for thread in open_threads(summaries, summaries[0], seen)]


@pytest.mark.parametrize(
    ("left", "then", "is_open"),
    [
        ("Add tests for the upload retry", "Tests for the upload retry were added", False),
        ("Add tests for the upload retry", "The upload form has a new colour", True),
        ("Write tests for parser.py", "parser.py was split in two", False),  # what names it counts most
        ("Write tests for parser.py", "lexer.py has tests now", True),
        ("Release version 1.4.0", "Released 1.4.0", False),
        ("Release version 1.4.0", "Released 1.3.0", True),
        ("Make the retryLimit configurable", "retryLimit is read from the settings", False),
        ("Tests für die Größenprüfung schreiben", "Die Tests der Groessenpruefung fehlen", True),
        ("Tests für die Größenprüfung schreiben", "GRÖSSENPRÜFUNG: Tests geschrieben", False),
        ("Prüfung auch für Ordner einbauen", "Die Prüfung für Ordner ist eingebaut", False),
        ("Die Doku umstellen", "Doku wurde umgestellt", False),
        ("Deploy to staging, then tell the team", "Deployed to staging and told the team", False),
        ("Ajouter des tests au décodeur", "Tests ajoutes au DECODEUR", False),
        ("为解析器添加测试", "已为解析器添加测试", False),
        ("为解析器添加测试", "更新了缓存的文档", True),
    ],
)
@pytest.mark.parametrize("field", ["completed", "learned", "title"])
def test_a_step_is_open_until_something_later_covers_it(
    memory: Memory, left: str, then: str, is_open: bool, field: str
) -> None:
    memory.turn("a", 1, BEGUN, request="Go", next_steps=left)
    fields = {field: then} if field != "title" else {}
    memory.turn("b", 1, BEGUN + DAY, request="Go on", **fields)
    if field == "title":
        memory.observe("b", BEGUN + DAY, then)
    assert still_open(memory) == ([left] if is_open else [])


def test_what_was_done_before_does_not_count(memory: Memory) -> None:
    memory.turn("a", 1, BEGUN, completed="Released the parser", next_steps="Release the parser again")
    memory.observe("a", BEGUN - HOUR, "The parser was released again")
    memory.turn("b", 1, BEGUN + DAY, request="Look around")
    assert still_open(memory) == ["Release the parser again"]


def test_words_of_two_summaries_together_do_not_make_one_done(memory: Memory) -> None:
    memory.turn("a", 1, BEGUN, next_steps="Document the upload retry limits")
    memory.turn("b", 1, BEGUN + DAY, completed="Documented the cache")
    memory.turn("c", 1, BEGUN + 2 * DAY, completed="Looked at upload limits elsewhere")
    memory.turn("d", 1, BEGUN + 3 * DAY, request="Look around")
    assert still_open(memory) == ["Document the upload retry limits"]


def test_what_is_said_again_is_told_once_as_it_was_said_last(memory: Memory) -> None:
    memory.turn("a", 1, BEGUN, next_steps="Port the lexer. Publish the docs.")
    memory.turn("b", 1, BEGUN + DAY, next_steps="Port the lexer to Rust. Drop the old cache.")
    memory.turn("c", 1, BEGUN + 2 * DAY, next_steps="The docs must be published")
    assert still_open(memory) == ["Port the lexer to Rust.", "Drop the old cache."]


def test_what_is_too_old_is_given_up(memory: Memory) -> None:
    memory.turn("a", 1, BEGUN, next_steps="Port the lexer")
    memory.turn("b", 1, BEGUN + 89 * DAY, request="Look around")
    assert still_open(memory) == ["Port the lexer"]
    memory.turn("c", 1, BEGUN + 91 * DAY, request="Look around")
    assert still_open(memory) == []


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        ("None.", []),
        ("Nothing left to do", []),
        ("No further steps.", []),
        ("Keine offenen Punkte", []),
        ("Continue.", []),
        ("Write docs for v2.0. Then release it on Monday!", ["Write docs for v2.0.", "Then release it on Monday!"]),
        (
            "- port the lexer\n- [ ] publish docs\n* drop cache files",
            ["port the lexer", "publish docs", "drop cache files"],
        ),
        ("1. Port the lexer 2. Publish docs", ["Port the lexer", "Publish docs"]),
        ("1) Port lexer.\n2) Publish docs.", ["Port lexer.", "Publish docs."]),
        ("port the lexer; publish docs; e.g. the index", ["port the lexer", "publish docs", "e.g. the index"]),
        ("为解析器添加测试。更新文档。", ["为解析器添加测试。", "更新文档。"]),
        ("Fix utils.parse", ["Fix utils.parse"]),
    ],
)
def test_steps_are_taken_apart(text: str, parts: list[str]) -> None:
    assert list(items(text)) == parts
