"""Owns what the tools of the MCP server are called, what they take, and reading what a model gave them.

Names and arguments are those that users of this field know. A model that reads four tools for the first time should
take the cheap one first: so each says what it costs, and what comes after it. It is lenient with how a value is
written (models give `"10"`, `"#12, #13"`, `"[12]"`), and with nothing else: what cannot be meant is said at once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from watcher.errors import UsageError
from watcher.memory.search_filters import clean

Value = str | int | list[str] | None
Arguments = dict[str, Any]  # by name: a text, a number, a list of texts, None where nothing was given

ALL = "all"  # projects
KINDS = {"observations": "observation", "sessions": "summary", "prompts": "prompt"}  # as the memory calls them
ORDERS = {"relevance": "relevance", "date_desc": "newest", "date_asc": "oldest"}  # as a search calls them
SEARCHED = 100  # rows at most
DETAILED = 50  # ids at most
DEPTH = 100  # of a timeline, at most


class Parameter(NamedTuple):
    """One argument of a tool."""

    name: str
    kind: Literal["text", "number", "ids", "begin", "end"]
    description: str
    default: int | str | None = None
    least: int = 0
    most: int = 0
    choices: tuple[str, ...] = ()
    is_required: bool = False

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of its values."""
        schema: dict[str, Any] = {"description": self.description}
        if self.kind == "number":
            schema |= {"type": "integer", "minimum": self.least, "maximum": self.most}
        elif self.kind == "ids":
            schema |= {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": self.most}
        else:
            schema["type"] = "string"
        if self.choices:
            schema["enum"] = list(self.choices)
        if self.default is not None:
            schema["default"] = self.default
        return schema

    def read(self, value: object) -> Value:
        """Return a value as it is meant; a time as an epoch.

        Raises:
            ValueError: it cannot be meant; says what can.
        """
        if self.kind == "ids":
            return _ids(value, self.most)
        if self.kind == "number":
            if re.fullmatch(r"-?\d{1,9}(\.0+)?", text := str(value)) and self.least <= int(float(text)) <= self.most:
                return int(float(text))
            raise ValueError(f"a whole number from {self.least} to {self.most}")
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError("a text")  # noqa: TRY004 - one error for all that cannot be meant
        text = clean(str(value)).strip()
        if self.choices and text not in self.choices:
            raise ValueError(f"one of {', '.join(self.choices)}")
        return epoch(text, is_end=self.kind == "end") if self.kind in ("begin", "end") else text


class Tool(NamedTuple):
    """One tool."""

    name: str
    title: str
    description: str
    parameters: tuple[Parameter, ...]

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of its arguments."""
        return {
            "type": "object",
            "properties": {parameter.name: parameter.schema() for parameter in self.parameters},
            "required": [parameter.name for parameter in self.parameters if parameter.is_required],
            "additionalProperties": False,
        }

    def read(self, given: Mapping[str, object]) -> Arguments:
        """Return all arguments as they are meant, those that were not given by their defaults.

        Raises:
            UsageError: some cannot be meant.
        """
        known = {parameter.name: parameter for parameter in self.parameters}
        wrong = [f"there is no argument {name}" for name in given if name not in known]
        values: Arguments = {}
        for name, parameter in known.items():
            value = given.get(name)
            if value is None or value == [] or (isinstance(value, str) and not value.strip()):
                values[name] = parameter.default
                if parameter.is_required:
                    wrong.append(f"{name} is missing")
                continue
            try:
                values[name] = parameter.read(value)
            except ValueError as error:
                wrong.append(f"{name} is to be {error}, not {str(value)[:100]!r}")
        if wrong:
            raise UsageError("; ".join(wrong), hint=f"{self.name}({', '.join(known)})")
        return values


def epoch(text: str, *, is_end: bool) -> int:
    """Return the time that a text means: a day or a moment in ISO 8601, where the user is unless it says a zone.

    A day that is an end is meant with all its hours. Whoever knows the milliseconds since 1970 may give those.

    Raises:
        ValueError: it means none.
    """
    if re.fullmatch(r"\d{11,14}", text):
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
        if is_end and re.fullmatch(r"\d{4}-?\d\d-?\d\d", text):
            moment += timedelta(days=1, milliseconds=-1)
        return int(moment.timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        raise ValueError("a date such as 2026-11-24 or 2026-11-24T14:30") from None


def _ids(value: object, most: int) -> list[str]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = re.split(r"[\s,]+", str(value).strip())
    given = value if isinstance(value, list) else [value]
    if len(given) > most or not all(isinstance(one, str | int) and not isinstance(one, bool) for one in given):
        raise ValueError(f'a list of at most {most} ids such as ["#12", "S3"]')
    return [str(one) for one in given]


_PROJECT = Parameter(
    "project", "text", "The project's folder or its name, or \"all\"; this session's project unless told."
)
_BEGIN = Parameter("dateStart", "begin", "Only what happened from then on: 2026-11-24, or with a time.")
_END = Parameter("dateEnd", "end", "Only what happened until then; a day is meant with all its hours.")

TOOLS = (
    Tool(
        "search",
        "Search memory",
        "Search what was done, found out, decided or asked in earlier sessions. Start here: an answer is an index of "
        "one short line a result, each with an id. Then ask get_observations for the details of the few that matter, "
        "or timeline for what happened around one.",
        (
            Parameter("query", "text", "Words to find: fewer find more. Without any, the newest are listed."),
            Parameter("limit", "number", "Results at most.", default=20, least=1, most=SEARCHED),
            Parameter("offset", "number", "Results to leave out, to go on from.", default=0, least=0, most=10_000),
            _PROJECT,
            Parameter("type", "text", "Only this kind; sessions are summaries of turns.", choices=tuple(KINDS)),
            Parameter(
                "obs_type",
                "text",
                "Only observations of these types (commas): bugfix, feature, refactor, discovery, decision, change.",
            ),
            Parameter("file", "text", "Only observations about a file or folder: pool.py, src/app."),
            Parameter("concept", "text", "Only observations of a concept: gotcha, pattern, trade-off, how-it-works."),
            _BEGIN,
            _END,
            Parameter("orderBy", "text", "What comes first.", default="relevance", choices=tuple(ORDERS)),
        ),
    ),
    Tool(
        "timeline",
        "What happened around it",
        "List what happened in a project before and after one observation, summary, prompt or moment: one short line "
        "each, the oldest first. Give an anchor, or a query whose best result becomes the anchor.",
        (
            Parameter("anchor", "text", "An id as search prints it (#12, S3, P4), or a date and time."),
            Parameter("query", "text", "Instead of an anchor: words to search for."),
            Parameter("depth_before", "number", "Lines before it.", default=10, least=0, most=DEPTH),
            Parameter("depth_after", "number", "Lines after it.", default=10, least=0, most=DEPTH),
            _PROJECT,
        ),
    ),
    Tool(
        "get_observations",
        "Details by id",
        "Get all of a few observations (also summaries and prompts) by their ids: what was found out, the facts, the "
        "files. An answer is long: search first, and ask for those that matter, all in one call.",
        (
            Parameter(
                "ids", "ids", 'As search and timeline print them: ["#12", "S3"].', most=DETAILED, is_required=True
            ),
        ),
    ),
    Tool(
        "get_session",
        "One session",
        "Get one session: what each turn of it came to, the first one first, and the ids of its observations.",
        (
            Parameter(
                "session",
                "text",
                "The beginning of its id; or #12, S3 or P4 for the session that this belongs to.",
                is_required=True,
            ),
            Parameter("offset", "number", "Turns to leave out, to go on from.", default=0, least=0, most=100_000),
        ),
    ),
)
