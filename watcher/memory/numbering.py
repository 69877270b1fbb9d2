"""Owns the numbers of a session's prompts, where older ones came in after younger ones: what bears them moves along.

Prompts are numbered as they come in. A watcher leaves alone what a session did long before the first one ran; when
that is imported after all, it is numbered last, though it was first.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, case, func, select, update

from watcher.memory.models import Observation, SessionSummary, ToolUse, UserPrompt

_Numbered = type[Observation] | type[SessionSummary] | type[ToolUse]


def renumber(connection: Connection, session_id: str) -> None:
    """Number a session's prompts by their time, and all that was done by the prompt before it.

    Summaries and observations go with the prompt that they stand under.
    """
    rows = connection.execute(
        select(UserPrompt.prompt_number, UserPrompt.created_at_epoch)
        .where(UserPrompt.session_id == session_id)
        .order_by(UserPrompt.created_at_epoch, UserPrompt.prompt_number)
    ).all()
    moved = {before: number for number, (before, _) in enumerate(rows, start=1) if before != number}
    if moved:
        _move(connection, session_id, moved)
    _by_time(connection, ToolUse, session_id, ToolUse.session_id == session_id)
    # What was done before any prompt was seen has none, but that has come in now.
    for table in (Observation, SessionSummary):
        _by_time(connection, table, session_id, (table.session_id == session_id) & (table.prompt_number == 0))


def close_gaps(connection: Connection, session_id: str) -> None:
    """Number a session's prompts anew in their order, where some are gone with all that stood under them."""
    numbers = select(UserPrompt.prompt_number).where(UserPrompt.session_id == session_id)
    before = connection.scalars(numbers.order_by(UserPrompt.prompt_number))
    if moved := {old: number for number, old in enumerate(before, start=1) if old != number}:
        _move(connection, session_id, moved, ToolUse)


def _move(connection: Connection, session_id: str, moved: dict[int, int], *more: type[ToolUse]) -> None:
    tables: tuple[type[UserPrompt] | _Numbered, ...] = (UserPrompt, SessionSummary, Observation, *more)
    for table in tables:
        of_session = table.session_id == session_id
        number = case(moved, value=table.prompt_number, else_=table.prompt_number)
        # A number may still be another's: so each is free before it is taken.
        connection.execute(update(table).where(of_session, table.prompt_number > 0).values(prompt_number=-number))
        back = update(table).where(of_session, table.prompt_number < 0)
        connection.execute(back.values(prompt_number=-table.prompt_number))


def _by_time(connection: Connection, table: _Numbered, session_id: str, chosen: ColumnElement[bool]) -> None:
    before = (
        select(func.count())
        .where(UserPrompt.session_id == session_id, UserPrompt.created_at_epoch <= table.created_at_epoch)
        .correlate(table)
        .scalar_subquery()
    )
    connection.execute(update(table).prefix_with("OR IGNORE").where(chosen).values(prompt_number=before))
