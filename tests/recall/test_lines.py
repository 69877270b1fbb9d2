from __future__ import annotations

import pytest

from watcher.recall.lines import cut, file_names
from watcher.recall.units import units


@pytest.mark.parametrize(
    ("text", "most", "line"),
    [
        ("as it is", 8, "as it is"),
        ("cut at the end of a word", 15, "cut at the end…"),
        ("cut at the end of a word", 14, "cut at the…"),
        ("an enumeration, of things", 16, "an enumeration…"),
        ("onelongwordthatgoeson", 10, "onelongwo…"),
        ("two\nlines\tand  spaces", 40, "two lines and spaces"),
        ("👩‍💻👩‍💻", 8, "👩‍💻👩…"),
        ("🎉🎉🎉", 4, "🎉…"),
        ("a</b>c", 20, "a&lt;/b>c"),
        ("x < y, a<-b", 20, "x < y, a<-b"),
        ("\x1b[31mred\x00 \u202eright\u200b", 40, "red right"),
        ("List<String> and <\u200b/b>", 40, "List<String> and &lt;/b>"),
    ],
)
def test_a_text_is_cut_on_one_line(text: str, most: int, line: str) -> None:
    assert cut(text, most) == line
    assert units(line) <= most


def test_a_text_of_any_length_is_cut() -> None:
    assert units(cut("word " * 200_000, 100)) <= 100
    assert cut(" " * 100_000 + "end", 10) == "end"


def test_files_are_named_and_counted() -> None:
    assert file_names((), "") == ""
    assert file_names(("/a/b.py", "C:\\src\\c.py", "/d.py", "/e.py", "/x/b.py"), "") == " (b.py, c.py, 2 more)"
    assert file_names(("/a/b.py", "/c.py"), "b.py: added f") == " (c.py)"
