from __future__ import annotations

import json

import pytest

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


KEY = "AKIA" + "Q3EGRB7X" + "W5ZJ4TNM"
HIDDEN = ["\x1b[0m", "\x01", "\b", "\u200b", "\x7f"]


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("is_nested", [False, True])
def test_a_secret_in_an_input_is_not_parted_by_what_cannot_be_seen(hidden: str, is_nested: bool) -> None:
    text = f"echo {KEY[:9]}{hidden}{KEY[9:]} done"
    kept = excerpts.input_excerpt({"todos": [{"content": text}]} if is_nested else {"command": text}, 4000)
    assert "[redacted: aws-access-key] done" in kept
    json.loads(kept)


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("at", range(1, 20))
def test_of_a_secret_so_parted_the_cut_leaves_no_half(hidden: str, at: int) -> None:
    text = f"{'word ' * 600}"[: 2400 - at] + f" {KEY[:3]}{hidden}{KEY[3:]} " + "tail " * 2000
    assert "AKIA" not in excerpts.excerpt(text, 4000)
