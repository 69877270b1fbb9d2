"""Owns taking records of a transcript into the database, each exactly once.

Whatever is read twice comes in once: prompts are unique by the uuid of their entry and tool uses by their id, over
all sessions. So a transcript can be read again from its start, and the history that a fork copies stays with the
session it was made in.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, Executable, bindparam, func, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute

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
from watcher.memory.sessions import IDLE, NO_ACTIVITY, PROCESS_GONE, session
from watcher.memory.turns import close_open_tool_uses

# Each statement is made once and runs for all rows of a pass: making one costs more than running it.
_INSERT_PROMPTS = insert(UserPrompt)
_INSERT_TOOL_USES = insert(ToolUse).on_conflict_do_nothing()
# A tool use that was given up for open when its session ended may get its result all the same.
_SET_RESULTS = (
    update(ToolUse)
    .where(
        ToolUse.tool_use_id == bindparam("of_tool_use"),
        or_(ToolUse.status == ToolUseStatus.OPEN, ToolUse.status == ToolUseStatus.PENDING),
        ToolUse.finished_at_epoch.is_(None),
    )
    .values(
        status=ToolUseStatus.PENDING,
        output=bindparam("output"),
        is_error=bindparam("is_error"),
        finished_at_epoch=bindparam("finished_at_epoch"),
    )
)
_OF_PROMPT = update(UserPrompt).where(
    UserPrompt.session_id == bindparam("of_session"), UserPrompt.prompt_number == bindparam("of_number")
)


def _is_before(column: InstrumentedAttribute[Any]) -> ColumnElement[bool]:
    """Say whether a time lies before a record's: so does one of the time to come, from a clock that was ahead once."""
    return (column <= bindparam("at")) | (column > bindparam("now"))


_SET_CLOSING_WORDS = _OF_PROMPT.where(
    _is_before(UserPrompt.closing_at_epoch), _is_before(UserPrompt.created_at_epoch)
).values(closing_text=bindparam("words"), closing_at_epoch=bindparam("at"))
# Activity after a turn's end opens it again.
_REOPEN_TURNS = _OF_PROMPT.where(
    UserPrompt.ended_at_epoch != bindparam("at"), _is_before(UserPrompt.ended_at_epoch)
).values(ended_at_epoch=None)
# A Stop flag may have said so already, a moment earlier; in the end it is the transcript's word.
_END_TURNS = _OF_PROMPT.where(
    UserPrompt.ended_at_epoch.is_(None) | _is_before(UserPrompt.ended_at_epoch),
    _is_before(UserPrompt.created_at_epoch),
).values(ended_at_epoch=bindparam("at"))

_Row = dict[str, object]


@dataclass(slots=True)
class _Turn:
    """What one pass saw of one prompt's time."""

    words: WordsRecord | None = None
    active_at: int = 0
    ended_at: int = 0


@dataclass(slots=True)
class _Pass:
    """What is gathered of the records before it is written in a few statements."""

    source: Source
    known: dict[str, tuple[str, int]]  # session and number of the prompts that are in the memory, by uuid
    last_number: int  # of the session's prompts so far
    number: int  # of the prompt that records belong to now; 0: none of this session
    prompts: list[_Row] = field(default_factory=list)
    tool_uses: list[_Row] = field(default_factory=list)
    results: list[_Row] = field(default_factory=list)
    turns: dict[int, _Turn] = field(default_factory=dict)
    title: str = ""
    last_at: int = 0
    prompted_at: int = 0

    def add(self, record: Record) -> None:
        """Gather one record."""
        self.last_at = max(self.last_at, record.at)
        match record:
            case PromptRecord():
                self._add_prompt(record)
            case ToolUseRecord():
                self.tool_uses.append(_tool_use_row(self.source, record, self.number))
                self._turn().active_at = record.at
            case ToolResultRecord():
                self.results.append(_result_row(record))
            case WordsRecord():
                self._turn().active_at = record.at
                self._turn().words = record
            case TurnEndRecord():
                self._turn().ended_at = record.at
            case TitleRecord():
                self.title = record.text

    def _add_prompt(self, record: PromptRecord) -> None:
        """Gather a prompt where it is new; let what follows belong to it."""
        if record.uuid in self.known:
            session_id, number = self.known[record.uuid]
            self.number = number if session_id == self.source.session_id else 0
            return
        self.last_number += 1
        self.number = self.last_number
        self.known[record.uuid] = (self.source.session_id, self.number)
        self.prompted_at = max(self.prompted_at, record.at)
        self.prompts.append(_prompt_row(self.source, record, self.number))

    def _turn(self) -> _Turn:
        return self.turns.setdefault(self.number, _Turn())


def take_in(connection: Connection, source: Source, records: Sequence[Record], *, now: int) -> Taken:
    """Write records in their order; only the new ones count."""
    if not records:
        return Taken()
    # A title carries no time, and makes no session.
    begun_at = next((record.at for record in records if not isinstance(record, TitleRecord)), None)
    if begun_at is not None:
        _ensure_session(connection, source, begun_at)
    starts = _prompt_starts(connection, source.session_id)
    gathered = _Pass(source, _known_prompts(connection, records), last_number=len(starts), number=len(starts))
    in_order = sorted(starts)
    for record in records:
        if source.agent_id:
            # A subagent's work belongs to the prompt that its session had been given last.
            gathered.number = bisect_right(in_order, record.at)
        gathered.add(record)
    taken = Taken(
        prompts=_execute(connection, _INSERT_PROMPTS, gathered.prompts),
        tool_uses=_execute(connection, _INSERT_TOOL_USES, gathered.tool_uses),
        results=_execute(connection, _SET_RESULTS, gathered.results),
        turn_ends=sum(1 for turn in gathered.turns.values() if turn.ended_at),
    )
    if not source.agent_id:
        _write_turns(connection, source.session_id, gathered.turns, now=now)
    if taken.prompts:
        _attribute_anew(connection, source.session_id)
    _touch_session(connection, gathered, taken, now=now)
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


def _prompt_starts(connection: Connection, session_id: str) -> list[int]:
    """Return when each prompt of a session was given, by its number."""
    return list(
        connection.scalars(
            select(UserPrompt.created_at_epoch)
            .where(UserPrompt.session_id == session_id)
            .order_by(UserPrompt.prompt_number)
        )
    )


def _known_prompts(connection: Connection, records: Iterable[Record]) -> dict[str, tuple[str, int]]:
    """Return which of the prompts are in the memory already, and where: a fork's history is another session's."""
    uuids = [record.uuid for record in records if isinstance(record, PromptRecord)]
    if not uuids:
        return {}
    known = select(UserPrompt.uuid, UserPrompt.session_id, UserPrompt.prompt_number)
    rows = connection.execute(known.where(UserPrompt.uuid.in_(uuids)))
    return {uuid: (session_id, number) for uuid, session_id, number in rows}


def _attribute_anew(connection: Connection, session_id: str) -> None:
    """Let the work of subagents belong to the prompt before it: their transcripts may be read before the prompt is."""
    prompts_before = (
        select(func.count())
        .where(UserPrompt.session_id == session_id, UserPrompt.created_at_epoch <= ToolUse.created_at_epoch)
        .correlate(ToolUse)
        .scalar_subquery()
    )
    of_subagents = (ToolUse.session_id == session_id, ToolUse.agent_id != "")
    connection.execute(
        update(ToolUse)
        .where(*of_subagents, ToolUse.prompt_number != prompts_before)
        .values(prompt_number=prompts_before)
    )


def _prompt_row(source: Source, record: PromptRecord, number: int) -> _Row:
    return {
        "uuid": record.uuid,
        "session_id": source.session_id,
        "prompt_number": number,
        "prompt_text": record.text,
        "continues_turn": record.continues_turn and number > 1,
        "created_at": iso(record.at),
        "created_at_epoch": record.at,
    }


def _tool_use_row(source: Source, record: ToolUseRecord, number: int) -> _Row:
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


def _result_row(record: ToolResultRecord) -> _Row:
    return {
        "of_tool_use": record.tool_use_id,
        "output": record.output,
        "is_error": record.is_error,
        "finished_at_epoch": record.at,
    }


def _write_turns(connection: Connection, session_id: str, turns: dict[int, _Turn], *, now: int) -> None:
    """Store each turn's last words and its end."""
    words: list[_Row] = []
    active: list[_Row] = []
    ended: list[_Row] = []
    for number, turn in turns.items():
        this: _Row = {"of_session": session_id, "of_number": number, "now": now}
        if turn.words is not None:
            words.append({**this, "at": turn.words.at, "words": turn.words.text})
        if turn.active_at:
            active.append({**this, "at": turn.active_at})
        if turn.ended_at and turn.ended_at >= turn.active_at:
            ended.append({**this, "at": turn.ended_at})
    _execute(connection, _SET_CLOSING_WORDS, words)
    _execute(connection, _REOPEN_TURNS, active)
    _execute(connection, _END_TURNS, ended)


def _execute(connection: Connection, statement: Executable, rows: list[_Row]) -> int:
    """Run a statement for all rows; return how many it changed."""
    return connection.execute(statement, rows).rowcount if rows else 0


def _touch_session(connection: Connection, gathered: _Pass, taken: Taken, *, now: int) -> None:
    """Bring the session's row up to date; a new prompt after its end makes it active again."""
    this = update(SdkSession).where(SdkSession.session_id == gathered.source.session_id)
    last_at = min(gathered.last_at, now)  # A transcript from a clock ahead of ours must not look active for ever.
    values: dict[str, object] = {
        "last_activity_at_epoch": greatest(SdkSession.last_activity_at_epoch, last_at),
        "last_prompt_at_epoch": greatest(SdkSession.last_prompt_at_epoch, gathered.prompted_at),
        "prompt_count": SdkSession.prompt_count + taken.prompts,
        "tool_use_count": SdkSession.tool_use_count + taken.tool_uses,
    }
    if gathered.title:
        values["title"] = gathered.title
    connection.execute(this.values(values))
    # A prompt makes a session that was over active again; so does any work in one that was only thought to be.
    was_guessed = or_(*(SdkSession.end_reason.startswith(why) for why in (IDLE, PROCESS_GONE, NO_ACTIVITY)))
    over_at = SdkSession.completed_at_epoch
    is_ahead = over_at > now  # by a clock that was set back since
    has_worked = (over_at < gathered.last_at) | (is_ahead & bool(taken.tool_uses))
    goes_on = (over_at < gathered.prompted_at) | (is_ahead & bool(taken.prompts)) | (has_worked & was_guessed)
    connection.execute(
        this.where(goes_on).values(
            status=SessionStatus.ACTIVE, completed_at=None, completed_at_epoch=None, end_reason=None
        )
    )
    # Nothing will end once more what is over: what came late must not wait for a result for ever.
    known = session(connection, gathered.source.session_id)
    if taken.tool_uses and known is not None and known.status is not SessionStatus.ACTIVE:
        close_open_tool_uses(connection, known.session_id)
