from __future__ import annotations

import pytest

from watcher.recall.words import alike, covered


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Errors are values here, never exceptions", "Errors are values, never exceptions", True),
        ("The CACHE is keyed by path", "the cache is keyed by Path!", True),
        ("Größe wird geprüft", "größe wird geprueft", False),
        ("Größe wird geprüft", "GRÖSSE wird geprüft", True),
        (
            "Table 12 of billing was migrated to the new schema",
            "Table 13 of billing was migrated to the new schema",
            False,
        ),
        ("parser.py reads its input in chunks", "lexer.py reads its input in chunks", False),
        ("Renamed userId everywhere", "Renamed user everywhere", False),
        ("Ran 3 commands", "Looked at files", False),
        ("", "", True),
        ("!", "?", False),
    ],
)
def test_titles_that_say_the_same(one: str, other: str, same: bool) -> None:
    assert alike(one, other) is same
    assert alike(other, one) is same


def test_a_text_of_no_words_is_not_covered() -> None:
    assert covered("the and of", by="the and of") == 0.0
    assert covered("parser", by="") == 0.0


def test_who_names_a_file_speaks_of_what_it_is_called_after() -> None:
    assert covered("port parser", by="src/parser.py") == 0.5
    assert covered("port parser", by="portParser") == 1.0
    assert covered("port src/parser.py", by="parser was ported") == 0.0
    assert covered("raise retry_limit", by="the limit of a retry was raised") == 1.0
