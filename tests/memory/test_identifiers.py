"""Identifiers are taken apart where a programmer sees their parts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.memory import identifiers
from watcher.memory.identifiers import all_parts, parts

TAKEN_APART = {
    "getUserName": "get User Name",
    "GetUserName": "Get User Name",
    "HTTPServer2": "HTTP Server 2",
    "parseHTTPHeader": "parse HTTP Header",
    "TS2345": "TS 2345",
    "E501": "E 501",
    "v1.2.3": "v 1 2 3",
    "utf8": "utf 8",
    "sha256sum": "sha 256 sum",
    "src/cart/lineTotal.test.ts": "src cart line Total test ts",
    "src\\cart\\LineTotal.cs": "src cart Line Total cs",
    "test_getUserName": "test get User Name",
    "größeÄndern": "größe Ändern",
    # What FTS5 takes apart by itself, or what has no parts.
    "get_user_name": "",
    "--max-old-space-size": "",
    "ERR_CONN_RESET": "",
    "src/app/pool.py": "",
    "README": "",
    "2026-11-01": "",
    "49.7": "",
    "日本語": "",
    "": "",
    # No identifiers: a hash, data.
    "3f2a9c8be4": "",
    "a" * 200 + "B": "",
}


@pytest.mark.parametrize("identifier", TAKEN_APART)
def test_parts(identifier: str) -> None:
    assert parts(identifier) == TAKEN_APART[identifier]


def test_each_identifier_of_some_texts_once() -> None:
    assert all_parts(["fix getUserName (getUserName)", "and getUserName; E501"]) == "get User Name\nE 501"


def test_of_very_many_as_many_as_are_worth_it() -> None:
    assert len(all_parts([" ".join(f"name{number}" for number in range(10_000))])) == identifiers.SIZE


@given(st.text())
def test_nothing_is_lost_or_made_up(text: str) -> None:
    words = "".join(identifiers._WORD.findall(text))
    assert parts(text).replace(" ", "") in ("", words)
