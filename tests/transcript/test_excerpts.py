from __future__ import annotations

import json

from watcher.transcript import excerpts


def test_a_short_text_stays() -> None:
    assert excerpts.excerpt("short", 5) == "short"


def test_a_long_text_keeps_its_ends() -> None:
    cut = excerpts.excerpt("HEAD" + "x" * 10_000 + "TAIL", 100)
    assert cut.startswith("HEAD")
    assert cut.endswith("TAIL")
    assert "9908 characters left out" in cut
    assert len(cut) < 150


def test_nul_bytes_go() -> None:
    assert excerpts.excerpt("a\0b", 10) == "ab"


def test_a_cut_input_is_still_json() -> None:
    text = excerpts.input_excerpt({"file_path": "/a.py", "old_string": "o" * 9000, "new_string": "n" * 9000}, 4000)
    assert json.loads(text)["file_path"] == "/a.py"
    assert len(text) < 9000


def test_files_by_tool() -> None:
    assert excerpts.files_read("Read", {"file_path": "/a"}) == ("/a",)
    assert excerpts.files_modified("Edit", {"file_path": "/a"}) == ("/a",)
    assert excerpts.files_modified("NotebookEdit", {"notebook_path": "/n"}) == ("/n",)
    assert excerpts.files_read("Bash", {"command": "cat /a"}) == ()
    assert excerpts.files_modified("Write", {"file_path": 3}) == ()
