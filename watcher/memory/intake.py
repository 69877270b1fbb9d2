"""Owns taking records of a transcript into the database, each exactly once.

Whatever is read twice comes in once: prompts are unique by the uuid of their entry and tool uses by their id, over
all sessions. So a transcript can be read again from its start, and the history that a fork copies stays with the
session it was made in.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, bindparam, func, select, update

from watcher.memory.database import greatest, insert, iso
from watcher.memory.models import SdkSession, SessionStatus, ToolUse, ToolUseStatus, UserPrompt
from watcher.memory.records import (
    PromptRecord,
    Record,
    Source,
    Taken,
    TitleRecord,
    ToolResultRecord,
    ToolUseRecord,
    TurnEndRecord,
    WordsRecord,
)


@dataclass(slots=True)
class _Turn:
    """What one pass saw of one prompt's time."""

    words: WordsRecord | None = None
    active_at: int = 0
    ended_at: int = 0


@dataclass(slots=True)
class _Pass:
    """What is gathered of the records before it is written in a few statements."""

    number: int = 0  # of the prompt that records belong to now; 0: none of this session
    turns: dict[int, _Turn] = field(default_factory=dict)
    tool_uses: list[dict[str, object]] = field(default_factory=list)
    results: list[dict[str, object]] = field(default_factory=list)
    title: str = ""
    last_at: int = 0
    prompted_at: int = 0

    def turn(self) -> _Turn:
        return self.turns.setdefault(self.number, _Turn())

    def add(self, source: Source, record: Record) -> None:
        match record:
            case ToolUseRecord():
                self.tool_uses.append(_tool_use_row(source, record, self.number))
                self.turn().active_at = record.at
            case ToolResultRecord():
                self.results.append(_result_row(record))
            case WordsRecord():
                self.turn().active_at = record.at
                self.turn().words = record
            case TurnEndRecord():
                self.turn().ended_at = record.at
            case TitleRecord():
                self.title = record.text
            case PromptRecord():
                raise AssertionError("a prompt is written at once: what follows belongs to it")


def take_in(connection: Connection, source: Source, records: Sequence[Record], *, now: int) -> Taken:
    """Write records in their order; only the new ones count."""
    taken = Taken()
    if not records:
        return taken
    if begun_at := next((record.at for record in records if record.at), 0):  # a title carries no time
        _ensure_session(connection, source, begun_at)
    gathered = _Pass(number=_last_prompt_number(connection, source))
    starts = _prompt_starts(connection, source.session_id) if source.agent_id else []
    for record in records:
        gathered.last_at = max(gathered.last_at, record.at)
        if source.agent_id:
            gathered.number = bisect_right(starts, record.at)
        if isinstance(record, PromptRecord):
            taken.prompts += _take_prompt(connection, source, record, gathered)
        else:
            gathered.add(source, record)
    taken.turn_ends = sum(1 for turn in gathered.turns.values() if turn.ended_at)
    taken.tool_uses = _write_tool_uses(connection, gathered.tool_uses)
    taken.results = _write_results(connection, gathered.results)
    if not source.agent_id:
        _write_turns(connection, source.session_id, gathered.turns)
    _touch_session(connection, source.session_id, gathered, now=now)
    return taken


def _ensure_session(connection: Connection, source: Source, at: int) -> None:
    """Make the session's row where no hook has, and say where it runs where no line has said so before."""
    statement = insert(SdkSession).values(
        session_id=source.session_id,
        project=source.cwd,
        cwd=source.cwd,
        transcript_path=source.transcript_path or source.path,
        started_at=iso(at),
        started_at_epoch=at,
    )
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["session_id"],
            set_={"project": statement.excluded.project, "cwd": statement.excluded.cwd},
            where=SdkSession.project == "",
        )
    )


def _last_prompt_number(connection: Connection, source: Source) -> int:
    number = connection.scalar(
        select(func.max(UserPrompt.prompt_number)).where(UserPrompt.session_id == source.session_id)
    )
    return number or 0


def _prompt_starts(connection: Connection, session_id: str) -> list[int]:
    """Return when each prompt of a session was given: a subagent's tool uses belong to the last one before."""
    return list(
        connection.scalars(
            select(UserPrompt.created_at_epoch)
            .where(UserPrompt.session_id == session_id)
            .order_by(UserPrompt.prompt_number)
        )
    )


def _take_prompt(connection: Connection, source: Source, record: PromptRecord, gathered: _Pass) -> int:
    """Write a prompt where it is new; let what follows belong to it. Return how many were new."""
    known = connection.execute(
        select(UserPrompt.session_id, UserPrompt.prompt_number).where(UserPrompt.uuid == record.uuid)
    ).one_or_none()
    if known is not None:
        is_own = known.session_id == source.session_id
        gathered.number = known.prompt_number if is_own else 0
        return 0
    gathered.number = _last_prompt_number(connection, source) + 1
    gathered.prompted_at = max(gathered.prompted_at, record.at)
    connection.execute(
        insert(UserPrompt).values(
            uuid=record.uuid,
            session_id=source.session_id,
            prompt_number=gathered.number,
            prompt_text=record.text,
            continues_turn=record.continues_turn and gathered.number > 1,
            created_at=iso(record.at),
            created_at_epoch=record.at,
        )
    )
    return 1


def _tool_use_row(source: Source, record: ToolUseRecord, number: int) -> dict[str, object]:
    return {
        "tool_use_id": record.tool_use_id,
        "session_id": source.session_id,
        "prompt_number": number,
        "agent_id": source.agent_id,
        "name": record.name,
        "status": ToolUseStatus.SKIPPED if record.is_skipped else ToolUseStatus.OPEN,
        "input": None if record.is_skipped else record.input,
        "files_read": list(record.files_read),
        "files_modified": list(record.files_modified),
        "created_at": iso(record.at),
        "created_at_epoch": record.at,
    }


def _result_row(record: ToolResultRecord) -> dict[str, object]:
    return {
        "of_tool_use": record.tool_use_id,
        "output": record.output,
        "is_error": record.is_error,
        "finished_at_epoch": record.at,
    }


def _write_tool_uses(connection: Connection, rows: list[dict[str, object]]) -> int:
    if not rows:
        return 0
    return connection.execute(insert(ToolUse).on_conflict_do_nothing(), rows).rowcount


def _write_results(connection: Connection, rows: list[dict[str, object]]) -> int:
    """Give open tool uses their results: pending from here on."""
    if not rows:
        return 0
    statement = (
        update(ToolUse)
        .where(ToolUse.tool_use_id == bindparam("of_tool_use"), ToolUse.status == ToolUseStatus.OPEN)
        .values(
            status=ToolUseStatus.PENDING,
            output=bindparam("output"),
            is_error=bindparam("is_error"),
            finished_at_epoch=bindparam("finished_at_epoch"),
        )
    )
    return connection.execute(statement, rows).rowcount


def _write_turns(connection: Connection, session_id: str, turns: dict[int, _Turn]) -> None:
    """Store each turn's last words and its end; activity after an end opens the turn again."""
    for number, turn in turns.items():
        this = update(UserPrompt).where(UserPrompt.session_id == session_id, UserPrompt.prompt_number == number)
        if turn.words is not None:
            connection.execute(
                this.where(UserPrompt.closing_at_epoch <= turn.words.at).values(
                    closing_text=turn.words.text, closing_at_epoch=turn.words.at
                )
            )
        if turn.active_at:
            connection.execute(this.where(UserPrompt.ended_at_epoch < turn.active_at).values(ended_at_epoch=None))
        if turn.ended_at and turn.ended_at >= turn.active_at:
            # A Stop flag may have said so already, a moment earlier; in the end it is the transcript's word.
            earlier = UserPrompt.ended_at_epoch.is_(None) | (UserPrompt.ended_at_epoch < turn.ended_at)
            connection.execute(this.where(earlier).values(ended_at_epoch=turn.ended_at))


def _touch_session(connection: Connection, session_id: str, gathered: _Pass, *, now: int) -> None:
    """Bring the session's row up to date; a new prompt after its end makes it active again."""
    this = update(SdkSession).where(SdkSession.session_id == session_id)
    last_at = min(gathered.last_at, now)  # A transcript from a clock ahead of ours must not look active for ever.
    prompts = select(func.count()).where(UserPrompt.session_id == session_id).scalar_subquery()
    tool_uses = select(func.count()).where(ToolUse.session_id == session_id).scalar_subquery()
    values: dict[str, object] = {
        "last_activity_at_epoch": greatest(SdkSession.last_activity_at_epoch, last_at),
        "last_prompt_at_epoch": greatest(SdkSession.last_prompt_at_epoch, gathered.prompted_at),
        "prompt_count": prompts,
        "tool_use_count": tool_uses,
    }
    if gathered.title:
        values["title"] = gathered.title
    connection.execute(this.values(values))
    if gathered.prompted_at:
        connection.execute(
            this.where(SdkSession.completed_at_epoch < gathered.prompted_at).values(
                status=SessionStatus.ACTIVE, completed_at=None, completed_at_epoch=None, end_reason=None
            )
        )
