"""What a model gives a tool is read as it is meant, or it is told what is wrong with it."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from watcher.errors import UsageError
from watcher.recall.tools import TOOLS, Tool

BY_NAME = {tool.name: tool for tool in TOOLS}
DEFAULTS = {"limit": 20, "offset": 0, "orderBy": "relevance"}


def read(name: str, **given: object) -> dict[str, Any]:
    """Return what was read, without what nothing was given for."""
    return {key: value for key, value in BY_NAME[name].read(given).items() if value is not None}


def epoch(*moment: int) -> int:
    return int(datetime(*moment).timestamp() * 1000)  # type: ignore[arg-type,misc]  # noqa: DTZ001 - the user's time


@pytest.mark.parametrize("given", [{}, {"query": None, "project": "", "type": None}])
def test_what_is_not_given_has_its_default(given: dict[str, object]) -> None:
    assert read("search", **given) == DEFAULTS


@pytest.mark.parametrize("value", [10, "10", 10.0, "10.0"])
def test_a_number_however_it_is_written(value: object) -> None:
    assert read("search", limit=value)["limit"] == 10


@pytest.mark.parametrize("value", [["#12", "S3"], '["#12", "S3"]', "#12, S3", "#12 S3", " #12,\nS3 "], ids=repr)
def test_ids_however_they_are_written(value: object) -> None:
    assert read("get_observations", ids=value) == {"ids": ["#12", "S3"]}


@pytest.mark.parametrize("value", [[12], 12, "12", "[12]"])
def test_ids_that_are_numbers(value: object) -> None:
    assert read("get_observations", ids=value) == {"ids": ["12"]}


def test_a_text_that_is_a_number() -> None:
    assert read("timeline", anchor=12)["anchor"] == "12"


@pytest.mark.parametrize(
    ("text", "begin", "end"),
    [
        ("2026-11-24", epoch(2026, 11, 24), epoch(2026, 11, 25) - 1),
        ("2026-11-24T14:30", epoch(2026, 11, 24, 14, 30), epoch(2026, 11, 24, 14, 30)),
        ("2026-11-24T14:30:00Z", 1_795_530_600_000, 1_795_530_600_000),
        (1_795_530_600_000, 1_795_530_600_000, 1_795_530_600_000),
    ],
)
def test_times(text: object, begin: int, end: int) -> None:
    assert read("search", dateStart=text, dateEnd=text) == DEFAULTS | {"dateStart": begin, "dateEnd": end}


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("search", {"limit": 0}, "limit is to be a whole number from 1 to 100, not '0'"),
        ("search", {"limit": 101}, "a whole number from 1 to 100"),
        ("search", {"limit": "many"}, "a whole number"),
        ("search", {"limit": True}, "a whole number"),
        ("search", {"limit": 1.5}, "a whole number"),
        ("search", {"offset": -1}, "a whole number"),
        ("search", {"query": ["a"]}, "query is to be a text"),
        ("search", {"type": "observation"}, "type is to be one of observations, sessions, prompts"),
        ("search", {"orderBy": "age"}, "orderBy is to be one of relevance, date_desc, date_asc"),
        ("search", {"dateStart": "last week"}, "dateStart is to be a date such as 2026-11-24"),
        ("search", {"dateStart": "9" * 15}, "a date such as"),
        ("search", {"dateFrom": "2026-11-24"}, "there is no argument dateFrom"),
        ("get_observations", {}, "ids is missing"),
        ("get_observations", {"ids": []}, "ids is missing"),
        ("get_observations", {"ids": [{"id": 1}]}, "ids is to be a list of at most 50 ids"),
        ("get_observations", {"ids": [1] * 51}, "ids is to be a list of at most 50 ids"),
        ("get_session", {"session": "  "}, "session is missing"),
    ],
)
def test_what_cannot_be_meant(name: str, given: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError) as raised:
        BY_NAME[name].read(given)
    assert said in str(raised.value)
    assert raised.value.hint.startswith(f"{name}(")
    assert len(str(raised.value)) < 300


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(UsageError, match="no argument a; there is no argument b; limit is to be"):
        BY_NAME["search"].read({"a": 1, "b": 2, "limit": "x"})


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_a_schema_says_what_is_read(tool: Tool) -> None:
    """A model sees nothing else of a tool, so each argument is explained; all four take a thousand tokens at most."""
    schema = tool.schema()
    assert schema["additionalProperties"] is False
    assert list(schema["properties"]) == [parameter.name for parameter in tool.parameters]
    assert all(len(one["description"]) > 10 for one in schema["properties"].values())
    assert sum(len(json.dumps([one.name, one.description, one.schema()])) for one in TOOLS) < 4_500
