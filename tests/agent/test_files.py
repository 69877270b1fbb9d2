"""What became of a project's files: changes that add up, that are undone by hand or by git, moves and commits."""

from __future__ import annotations

import json

from watcher.agent import files
from watcher.agent.base import ToolUse

PROJECT = "/p"


def edit(path: str, old: str, new: str) -> ToolUse:
    given = {"file_path": f"{PROJECT}/{path}", "old_string": old, "new_string": new}
    return ToolUse(f"e{path}{old}{new}", "Edit", json.dumps(given), "The file has been updated.")


def write(path: str, text: str) -> ToolUse:
    given = {"file_path": f"{PROJECT}/{path}", "content": text}
    return ToolUse(f"w{path}", "Write", json.dumps(given), f"File created successfully at: {PROJECT}/{path}")


def run(command: str, *, error: bool = False) -> ToolUse:
    return ToolUse(f"r{command}", "Bash", json.dumps({"command": command}), "", error)


def words(*uses: ToolUse) -> dict[str, str]:
    return {path: change.words() for path, change in files.told(uses, PROJECT).changes.items()}


def test_changes_are_told_by_name_and_size() -> None:
    assert words(edit("a.py", "def a():\n    x\n", "def a():\n    y\n")) == {"a.py": "changed a (+1 −1)"}
    assert words(edit("a.py", "def a():\n    x\n", "def b():\n    x\n")) == {"a.py": "renamed a to b (+1 −1)"}
    assert words(edit("a.md", "# A\nx\n", "# A\nx\n## B\n")) == {"a.md": "added B (+1 −0)"}
    assert words(edit("a.md", "x", "y")) == {"a.md": "`x` → `y` (+1 −1)"}
    assert words(write("a.py", "LIMIT = 1\n\n\ndef a():\n    pass\n")) == {"a.py": "new: LIMIT, a (5 lines)"}


def test_edits_of_one_file_add_up() -> None:
    changes = (edit("a.py", "x\n", "x\ndef a(): 1\n"), edit("a.py", "def a(): 1\n", "def a(): 2\n"))
    assert words(*changes) == {"a.py": "added a (+2 −1)"}


def test_a_text_that_was_cut_is_not_counted() -> None:
    assert words(edit("a.py", "def a(): 1", "def a(): 2\n[… 99 characters left out …]")) == {"a.py": "changed a"}


def test_what_is_undone_does_not_stand() -> None:
    there, back = edit("a.py", "x", "y"), edit("a.py", "y", "x")
    other = edit("src/b.py", "x", "y")
    for undoing in (
        back,
        run("git checkout -- a.py"),
        run("git checkout ."),
        run("git stash"),
        run("git restore a.py"),
    ):
        became = files.told([there, undoing], PROJECT)
        assert became.changes == {}
        assert [one.path for one in became.taken_back] == ["a.py"]
    for harmless in (run("git checkout main"), run("git checkout -- a.py", error=True), run("git restore --staged .")):
        assert list(words(there, harmless)) == ["a.py"]
    assert list(words(there, other, run("git checkout src"))) == ["a.py"]


def test_moves_deletions_and_commits() -> None:
    changes = (write("new.py", "x"), edit("old.py", "x", "y"))
    ran = map(run, ("git mv c.py d.py", "rm new.py old.py e.py", "git commit -qm 'Tidy up'"))
    became = files.told([*changes, *ran], PROJECT)
    assert became.changes == {}
    assert [one.path for one in became.taken_back] == ["new.py"]
    assert became.deleted == ["old.py", "e.py"]
    assert became.moved == [("c.py", "d.py")]
    assert became.commits == ["Tidy up"]
