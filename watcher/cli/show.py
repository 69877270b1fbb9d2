"""Owns `claude-mem show`: all that is kept of something, and where it stands in the transcript."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from watcher.cli.style import local_time, notes, say, say_json
from watcher.cli.table import print_card
from watcher.errors import ClaudeMemError
from watcher.memory.states import Basis
from watcher.privacy.origin import mark

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from watcher.memory.browse import Session
    from watcher.memory.details import Details, Observation, Prompt, Summary, ToolUse

_TURNS = 1000  # of a session
_Fields = list[tuple[str, "str | Sequence[str]"]]


def show(
    ids: Annotated[list[str], typer.Argument(help="What search and sessions print.", metavar="ID...")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: a list, one for each id.")] = False,
) -> None:
    """Show all of observations (#1), summaries (S1), prompts (P1) and sessions (the beginning of their ids).

    Of an observation also the tool uses that it rests on, and the line of the transcript in which each stands.

    Examples:
        claude-mem show '#12' 13
        claude-mem show s3 p4
        claude-mem show 2b8f1c16
        claude-mem show '#12' --json | jq -r '.[0].narrative'
    """
    from watcher import settings as settings_room
    from watcher.memory import lookup

    with lookup.opened(settings_room.load().database) as connection:
        found = [_found(connection, one) for one in ids]
    if as_json:
        say_json([{**what._asdict(), **more} for what, more in found])
        return
    with notes():
        for number, (what, more) in enumerate(found):
            if number:
                say("")
            head, fields = _card(what, more)
            print_card(head, fields)


def _found(connection: sqlite3.Connection, given: str) -> tuple[Details | Session, dict[str, Any]]:
    """Return what an id names, and what is told of it beside what is kept."""
    from watcher.memory import browse, details

    what = browse.ref(given)
    row = details.details(connection, what) if what else None
    if row is not None:
        return row, _places(row)
    # Digits alone may also be how a session's id begins.
    if what is not None and not (given.isdecimal() and browse.beginning(connection, given)):
        raise ClaudeMemError(f"there is no {what}", hint="claude-mem search WORD (it prints the ids that there are)")
    session = browse.session(connection, given)
    return session, {"turns": details.turns(connection, session.session_id, limit=_TURNS)}


def _places(row: Details) -> dict[str, Any]:
    """Return where something stands in its transcript: path and line, None where that cannot be told any more."""
    from watcher.memory.details import Observation
    from watcher.transcript import places

    if not isinstance(row, Observation):
        return {"line": places.lines(Path(row.transcript_path), [row.uuid]).get(row.uuid) if row.uuid else None}
    paths = {use.tool_use_id: _path(use) for use in row.tool_uses}
    lines: dict[str, int] = {}
    for path in set(paths.values()):
        lines |= places.lines(Path(path), [one for one, its in paths.items() if its == path])
    return {
        "tool_uses": [
            {**use._asdict(), "transcript_path": paths[use.tool_use_id], "line": lines.get(use.tool_use_id)}
            for use in row.tool_uses
        ]
    }


def _path(use: ToolUse) -> str:
    from watcher.transcript import places

    if not use.agent_id or not use.transcript_path:
        return use.transcript_path
    return str(places.of_subagent(Path(use.transcript_path), use.agent_id))


def _card(what: Details | Session, more: dict[str, Any]) -> tuple[str, _Fields]:
    """Return what is printed of something: a head, and its fields."""
    from watcher.memory.details import Observation, Prompt, Summary

    if isinstance(what, Observation):
        return _of_observation(what, more)
    if isinstance(what, Summary):
        return _of_summary(what, more)
    if isinstance(what, Prompt):
        return _of_prompt(what, more)
    return _of_session(what, more)


def _of_observation(what: Observation, more: dict[str, Any]) -> tuple[str, _Fields]:
    return f"{what.id}  {what.type}  {what.title}", [
        ("", what.subtitle),
        *_where(what),
        ("narrative", what.narrative),
        ("facts", [f"- {fact}" for fact in what.facts]),
        ("concepts", ", ".join(what.concepts)),
        ("read", what.files_read),
        ("changed", what.files_modified),
        ("worded by", what.agent),
        ("came", mark(what.origin)),
        ("rests on", _basis(what, more["tool_uses"])),
        ("transcript", sorted({use["transcript_path"] for use in more["tool_uses"]})),
    ]


def _of_summary(what: Summary, more: dict[str, Any]) -> tuple[str, _Fields]:
    return f"{what.id}  summary  {what.request}", [
        *_where(what),
        ("investigated", what.investigated),
        ("learned", what.learned),
        ("completed", what.completed),
        ("next steps", what.next_steps),
        ("notes", what.notes),
        ("worded by", f"{what.agent} ({what.source})"),
        ("came", mark(what.origin)),
        ("came of it", ", ".join(what.observations)),
        ("transcript", _place(what.transcript_path, more["line"])),
    ]


def _of_prompt(what: Prompt, more: dict[str, Any]) -> tuple[str, _Fields]:
    return f"{what.id}  prompt", [
        *_where(what),
        ("prompt", what.text),
        ("answer's end", what.closing_text),
        ("transcript", _place(what.transcript_path, more["line"])),
    ]


def _of_session(what: Session, more: dict[str, Any]) -> tuple[str, _Fields]:
    turns = [f"{turn.id}  {local_time(turn.at)}  {turn.request}" for turn in more["turns"]]
    counts = f"{what.prompts} prompts, {what.tool_uses} tool uses, {what.observations} observations"
    return f"{what.session_id}  session  {what.title or what.request}", [
        ("project", what.project),
        ("status", f"{what.status}{f' ({what.end_reason})' if what.end_reason else ''}"),
        ("started", local_time(what.started_at)),
        ("heard of", local_time(what.last_activity_at)),
        ("holds", counts),
        ("turns", turns),
        ("transcript", what.transcript_path),
    ]


def _basis(what: Observation, uses: list[dict[str, Any]]) -> list[str]:
    """Return what an observation rests on, a line each."""
    words = f"the words of its turn (prompt {what.prompt_number})" if what.basis == Basis.TURN else ""
    return [*([f"{words}, in which was used:" if uses else words] if words else []), *map(_use, uses)]


def _use(use: dict[str, Any]) -> str:
    files = " ".join(use["files"])
    agent = f"of subagent {use['agent_id']}" if use["agent_id"] else ""
    line = f"(line {use['line']})" if use["line"] else ""
    return " ".join([use["name"], "(failed)" if use["is_error"] else "", files, agent, line])


def _where(what: Details) -> _Fields:
    return [
        ("when", local_time(what.at)),
        ("project", what.project),
        ("session", f"{what.session_id} (prompt {what.prompt_number})"),
    ]


def _place(path: str, line: int | None) -> str:
    return f"{path}:{line}" if line else path
