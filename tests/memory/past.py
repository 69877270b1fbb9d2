"""Owns a memory of sessions long over: rows as ingest and digest leave them, some thousand bytes each."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, insert

from watcher.memory.database import Database
from watcher.memory.models import (
    AgentRequest,
    BrokenLine,
    Checkpoint,
    Context,
    Delivery,
    Flag,
    Observation,
    SdkSession,
    SessionSummary,
    ToolUse,
    UserPrompt,
    Watcher,
)

DAY = 86_400_000  # milliseconds
NOW = 1_780_000_000_000


def days_ago(days: float) -> int:
    """Return a time before NOW."""
    return NOW - round(days * DAY)


def put_session(database: Database, session_id: str, days: float, **values: Any) -> None:
    """Store a session that ended some days ago: a prompt, a tool use, an observation and a summary of the agent's.

    `tools` says how many tool uses, `tool_status` how they stand, `source` whose the summary is, `size` how many
    characters the narrative has.
    """
    tools, size = values.pop("tools", 1), values.pop("size", 10)
    tool_status, source = values.pop("tool_status", "observed"), values.pop("source", "agent")
    at = days_ago(days)
    whole = {"project": "/api", "status": "completed", **values}
    of = {"session_id": session_id, "prompt_number": 1, "created_at": "", "created_at_epoch": at}
    with database.write() as connection:
        put(connection, SdkSession, session_id=session_id, started_at_epoch=at, started_at="", **whole)
        put(connection, UserPrompt, **of, uuid=session_id, prompt_text="Go", continues_turn=False, ended_at_epoch=at)
        for number in range(tools):
            put_tool_use(connection, f"{session_id}-{number}", tool_status, **of)
        texts = dict.fromkeys(("subtitle", "agent", "content_hash"), "")
        lists: dict[str, list[str]] = {"facts": [], "concepts": [], "files_read": [], "files_modified": []}
        more = {"project": whole["project"], "tool_use_ids": [], "narrative": "n" * size, "type": "change"}
        put(connection, Observation, **of, **texts, **lists, **more, title=f"Saw {session_id}")
        fields = dict.fromkeys(("investigated", "learned", "completed", "next_steps", "notes", "agent"), "")
        times = {"closing_at_epoch": 0, "updated_at_epoch": at}
        about = {"project": whole["project"], "request": f"Ask {session_id}", "summary_text": "", "source": source}
        put(connection, SessionSummary, **of, **fields, **times, **about)
        connection.execute(
            SdkSession.__table__.update().where(SdkSession.session_id == session_id).values(last_activity_at_epoch=at)
        )


def put_tool_use(connection: Connection, tool_use_id: str, status: str, **values: Any) -> None:
    """Store a tool use with its excerpts, unless it was observed."""
    excerpts = {} if status == "observed" else {"input": "in", "output": "out"}
    files: dict[str, list[str]] = {"files_read": [], "files_modified": []}
    put(connection, ToolUse, tool_use_id=tool_use_id, status=status, name="Bash", **excerpts, **files, **values)


def put_traces(database: Database, days: float) -> None:
    """Store what tells how it went some days ago: a lowered flag, a delivery, a broken line, a run of the watcher."""
    at = days_ago(days)
    with database.write() as connection:
        raised = {"session_id": "s", "kind": "finalize", "event": "{}", "raised_at_epoch": at}
        put(connection, Flag, **raised, lowered_at_epoch=at)
        put(connection, Delivery, session_id="s", source="startup", delivered_at_epoch=at)
        line = {"path": "/t", "offset": at, "length": 1, "line_hash": "", "head": b"", "reason": ""}
        put(connection, BrokenLine, **line, seen_at_epoch=at)
        put(connection, Watcher, pid=1, version="0", started_at_epoch=at, heartbeat_at_epoch=at, stopped_at_epoch=at)


def put_request(database: Database, days: float) -> None:
    """Store a request to the agent that was made some days ago."""
    of = {"session_id": "s", "project": "/api", "agent": "claude", "model": "haiku", "outcome": "answered"}
    costs = {"turns": 1, "tool_uses": 1, "input_tokens": 1, "output_tokens": 1, "cost_usd": 0.1}
    with database.write() as connection:
        put(connection, AgentRequest, **of, **costs, created_at="", created_at_epoch=days_ago(days))


def put_checkpoint(database: Database, path: str, days: float, session_id: str = "s") -> None:
    """Store how far a transcript was taken in some days ago."""
    hashes = {"file_id": "1:1", "head_length": 0, "head_hash": "", "marker_hash": ""}
    with database.write() as connection:
        put(
            connection,
            Checkpoint,
            path=path,
            session_id=session_id,
            offset=9,
            updated_at_epoch=days_ago(days),
            **hashes,
        )


def put_context(database: Database, project: str, text: str = "old") -> None:
    """Store what a project's next session reads."""
    with database.write() as connection:
        put(connection, Context, project=project, text=text, rendered_at_epoch=0)


def put(connection: Connection, table: Any, **values: Any) -> None:
    """Store one row."""
    connection.execute(insert(table).values(**values))
