"""Owns the memory as Markdown for people: a heading a session, its turns below it in their order.

What stands in the memory came from elsewhere: nothing of it moves a terminal's cursor, is taken for a heading, or has
whoever opens the file fetch a picture or run a script. Links stay: they are followed when they are clicked on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import groupby
from typing import Any

from watcher.privacy.origin import mark

_FIELDS = ("investigated", "learned", "completed", "next_steps", "notes")
_SPECIAL = re.compile(r"^(\s*)([#>+*=-]|\d+[.)]|```|~~~)", re.MULTILINE)
_TAG = re.compile(r"(\\*)<(?=[A-Za-z/!?])")  # what may begin one, and what stands before it

Row = dict[str, Any]


def markdown(rows: Iterable[Row]) -> Iterator[str]:
    """Yield blocks of lines, of rows as `exported` gives them: a session, then what belongs to it."""
    yield "# Memory of claude-mem\n"
    for _, one in groupby(rows, key=lambda row: row["session_id"]):
        yield from _session(list(one))


def _session(rows: list[Row]) -> Iterator[str]:
    session = rows[0]
    title = _line(session["title"]) or next((_line(row["text"]) for row in rows if row["kind"] == "prompt"), "")
    yield f"\n## {_time(session['started_at'])} {_cut(title) or 'a session'}\n"
    yield f"\nProject `{_code(session['project'])}`, session `{_code(session['session_id'])}`, {session['status']}.\n"
    for row in sorted(rows[1:], key=lambda row: (row["prompt_number"], _ORDER[row["kind"]], row["at"])):
        yield _WRITERS[row["kind"]](row)


def _prompt(row: Row) -> str:
    closing = f"\n**Answered**\n\n{_text(row['closing_text'])}\n" if row["closing_text"].strip() else ""
    return f"\n### {row['id']} {_time(row['at'])}\n\n{_quoted(row['text'])}\n{closing}"


def _observation(row: Row) -> str:
    head = f"\n- **{row['id']} {_line(row['type'])}: {_line(row['title'])}**{_marked(row)}"
    told = [row["subtitle"], row["narrative"], *row["facts"]]
    files = ", ".join(f"`{_code(path)}`" for path in row["files_modified"] or row["files_read"])
    lines = [f"  {_line(text)}" for text in told if text.strip()] + ([f"  Files: {files}"] if files else [])
    return "\n".join([head, *lines]) + "\n"


def _summary(row: Row) -> str:
    parts = [f"**{name.replace('_', ' ').capitalize()}**: {_text(row[name])}" for name in _FIELDS if row[name].strip()]
    return (
        f"\n**{row['id']}, the turn's summary**{_marked(row)}: {_text(row['request'])}\n\n" + "\n\n".join(parts) + "\n"
    )


def _marked(row: Row) -> str:
    """Return where something came from, where that is to be said."""
    said = mark(row.get("origin", ""))
    return f" ({said})" if said else ""


_WRITERS = {"prompt": _prompt, "observation": _observation, "summary": _summary}
_ORDER = {"prompt": 0, "observation": 1, "summary": 2}


def _time(epoch: int) -> str:
    return datetime.fromtimestamp(epoch / 1000).astimezone().strftime("%Y-%m-%d %H:%M")


def _text(text: str) -> str:
    """Return a text of several lines none of which is taken for more than a text."""
    return _SPECIAL.sub(r"\1\\\2", _clean(text).strip())


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in _text(text).splitlines())


def _line(text: str) -> str:
    return " ".join(_clean(text).split())


def _code(text: str) -> str:
    return _line(text).replace("`", "'")


def _cut(text: str) -> str:
    return text if len(text) <= 100 else text[:99] + "…"


def _clean(text: str) -> str:
    """Return a text without what is not printed, but for its line breaks, and in which no tag and no image is one.

    Also in what stands between backticks: where one is left open, or with another reader, it is no code.
    """
    printed = "".join(char if char.isprintable() or char == "\n" else " " for char in text.replace("\r\n", "\n"))
    return _TAG.sub(_escaped, printed).replace("![", "!\\[")


def _escaped(tag: re.Match[str]) -> str:
    """Return the beginning of a tag with an odd number of backslashes before it: each two of them stand for one."""
    return tag[0] if len(tag[1]) % 2 else f"{tag[1]}\\<"
