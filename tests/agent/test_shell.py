from __future__ import annotations

import pytest

from watcher.agent import shell


@pytest.mark.parametrize(
    ("command", "looks"),
    [
        ("ls -l", True),
        ("cd src && grep -rn 'a|b; c' . 2>/dev/null | head -5", True),
        ("git log --oneline -3 2>&1", True),
        ("sed -n 1,20p a.py", True),
        ("sed -i s/a/b/ a.py", False),
        ("cat a > b", False),
        ("find . -name '*.pyc' -delete", False),
        ("echo $(rm a)", False),
        ("git commit -m x", False),
        ("ls && make", False),
        ("", False),
    ],
)
def test_what_only_looks(command: str, looks: bool) -> None:
    assert shell.only_looks(command) is looks


def test_the_same_thing_run_again_has_the_same_essence() -> None:
    texts = ("pytest -q", "cd /p && pytest -q 2>&1 | tail -20", "pytest  -q | head -5; echo done")
    assert {shell.essence(text) for text in texts} == {"pytest -q"}


def test_what_is_done_to_files() -> None:
    assert list(shell.moves("mkdir a && git mv b.py a/b.py")) == [("b.py", "a/b.py")]
    assert list(shell.deletions("rm -f a.py b.py; git rm c.py")) == ["a.py", "b.py", "c.py"]
    assert list(shell.takes_back("git checkout -- a.py && git restore --staged b.py")) == ["a.py"]
    assert [list(shell.takes_back(text)) for text in ("git reset --hard", "git stash", "git stash pop")] == [
        ["."],
        ["."],
        [],
    ]
    assert list(shell.commits("git add -A && git commit -qm \"Fix it\" && git commit -m 'Two'")) == ["Fix it", "Two"]
    assert list(shell.commits("git commit -m \"$(cat <<'EOF'\nFix it\n\nMore.\nEOF\n)\"")) == ["Fix it"]
