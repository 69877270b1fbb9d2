"""SECURITY.md promises nothing that no test holds."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SECURITY = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
PROMISES = SECURITY.split("## What it promises")[1].split("\n## ")[0]
_REFERENCE = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


def _promises() -> list[str]:
    """Return each promise with its tests: a bullet and what is indented below it."""
    return re.findall(r"^- .+(?:\n  .+)*", PROMISES, re.MULTILINE)


@pytest.mark.parametrize("promise", _promises(), ids=lambda promise: promise[2:50])
def test_each_promise_names_a_test(promise: str) -> None:
    assert _REFERENCE.search(promise)


@pytest.mark.parametrize(("path", "name"), sorted(set(_REFERENCE.findall(SECURITY))))
def test_the_tests_it_names_are_there(path: str, name: str) -> None:
    source = (ROOT / path).read_text(encoding="utf-8")
    there = {
        node.name for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert not name or name in there


def test_there_are_promises() -> None:
    assert len(_promises()) >= 10
    assert set(re.findall(r"^\| (\w[\w ,']+) \|", SECURITY, re.MULTILINE)) > {"Another user of the machine"}
