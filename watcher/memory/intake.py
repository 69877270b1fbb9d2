"""Owns taking records of a transcript into the database, each exactly once.

Whatever is read twice comes in once: prompts are unique by the uuid of their entry and tool uses by their id, over
all sessions. So a transcript can be read again from its start, and the history that a fork copies stays with the
session it was made in.

What is done about a private prompt is kept by the names of its tools alone, whenever it comes in: until the next prompt
that is not private and begins a turn, and by the subagents that were begun until then.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, case, func, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute

from watcher.memory import sifting
from watcher.memory.database import among, greatest, insert, iso
from watcher.memory.identifiers import all_parts
from watcher.memory.models import (
    OF_SUBAGENT,
    Forgotten,
    SdkSession,
    SessionStatus,
    ToolUse,
    ToolUseStatus,
    UserPrompt,
)
from watcher.memory.prepared import Prepared
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
from watcher.memory.sessions import IDLE, IMPORTED, NO_ACTIVITY, PROCESS_GONE
from watcher.memory.turns import close_open_tool_uses


def _is_before(column: InstrumentedAttribute[Any]) -> ColumnElement[bool]:
    """Say whether a time lies before a record's: so does one of the time to come, from a clock that was ahead once."""
    return (column <= bindparam("at")) | (column > bindparam("now"))


# Each statement is made once: making one costs more than running it.
_SESSION = select(SdkSession.project, SdkSession.status).where(SdkSession.session_id == bindparam("of_session"))
_NEW_SESSION = insert(SdkSession)
_MAKE_SESSION = _NEW_SESSION.on_conflict_do_update(
    index_elements=["session_id"],
    set_={"project": _NEW_SESSION.excluded.project, "cwd": _NEW_SESSION.excluded.cwd},
    where=SdkSession.project == "",
)
_IS_PRIVATE = (
    select(UserPrompt.is_private)
    .where(UserPrompt.session_id == bindparam("of_session"))
    .order_by(UserPrompt.prompt_number.desc())
    .limit(1)
    .correlate(None)
    .scalar_subquery()
)
# Asked along with it, so that whoever never forgot anything is asked nothing more.
_HAS_FORGOTTEN = select(Forgotten.id).exists()
_LAST_PROMPT = select(
    func.coalesce(func.max(UserPrompt.prompt_number), 0).label("prompt_number"),
    _IS_PRIVATE.label("is_private"),
    _HAS_FORGOTTEN.label("has_forgotten"),
).where(UserPrompt.session_id == bindparam("of_session"))
_PROMPT_AT = (
    select(UserPrompt.prompt_number, UserPrompt.is_private)
    .where(UserPrompt.session_id == bindparam("of_session"), UserPrompt.created_at_epoch <= bindparam("at"))
    .order_by(UserPrompt.created_at_epoch.desc(), UserPrompt.prompt_number.desc())
    .limit(1)
)
_PROMPT_STARTS = (
    select(UserPrompt.created_at_epoch, UserPrompt.is_private)
    .where(UserPrompt.session_id == bindparam("of_session"))
    .order_by(UserPrompt.created_at_epoch)
)
_KNOWN_PROMPTS = select(UserPrompt.uuid, UserPrompt.session_id, UserPrompt.prompt_number).where(
    among(UserPrompt.uuid, "uuids")
)
_KNOWN_TOOL_USES = select(ToolUse.tool_use_id).where(among(ToolUse.tool_use_id, "ids"))
_INSERT_PROMPTS = Prepared(insert(UserPrompt))
_INSERT_TOOL_USES = Prepared(insert(ToolUse))
# A tool use that was given up for open when its session ended may get its result all the same.
_SET_RESULTS = Prepared(
    update(ToolUse)
    .where(
        ToolUse.tool_use_id == bindparam("of_tool_use"),
        or_(ToolUse.status == ToolUseStatus.OPEN, ToolUse.status == ToolUseStatus.PENDING),
        ToolUse.finished_at_epoch.is_(None),
    )
    .values(
        status=ToolUseStatus.PENDING,
        output=bindparam("of_output"),
        is_error=bindparam("of_error"),
        finished_at_epoch=bindparam("at"),
    )
)
_OF_PROMPT = update(UserPrompt).where(
    UserPrompt.session_id == bindparam("of_session"), UserPrompt.prompt_number == bindparam("of_number")
)
_SET_CLOSING_WORDS = Prepared(
    _OF_PROMPT.where(_is_before(UserPrompt.closing_at_epoch), _is_before(UserPrompt.created_at_epoch)).values(
        closing_text=bindparam("words"), closing_at_epoch=bindparam("at")
    )
)
# Activity after a turn's end opens it again.
_REOPEN_TURNS = Prepared(
    _OF_PROMPT.where(UserPrompt.ended_at_epoch != bindparam("at"), _is_before(UserPrompt.ended_at_epoch)).values(
        ended_at_epoch=None
    )
)
# A Stop flag may have said so already, a moment earlier; in the end it is the transcript's word.
_END_TURNS = Prepared(
    _OF_PROMPT.where(
        UserPrompt.ended_at_epoch.is_(None) | _is_before(UserPrompt.ended_at_epoch),
        _is_before(UserPrompt.created_at_epoch),
    ).values(ended_at_epoch=bindparam("at"))
)

_PROMPTS_BEFORE = (
    select(func.count())
    .where(UserPrompt.session_id == bindparam("of_session"), UserPrompt.created_at_epoch <= ToolUse.created_at_epoch)
    .correlate(ToolUse)
    .scalar_subquery()
)
_ATTRIBUTE = (
    update(ToolUse)
    .where(OF_SUBAGENT, ToolUse.session_id == bindparam("of_session"), ToolUse.prompt_number != _PROMPTS_BEFORE)
    .values(prompt_number=_PROMPTS_BEFORE)
)
# A subagent's transcript may have been read before the prompt that it was begun about.
_HIDE = (
    update(ToolUse)
    .where(
        OF_SUBAGENT,
        ToolUse.session_id == bindparam("of_session"),
        ToolUse.status != ToolUseStatus.SKIPPED,
        ToolUse.prompt_number.in_(
            select(UserPrompt.prompt_number).where(
                UserPrompt.session_id == bindparam("of_session"), UserPrompt.is_private
            )
        ),
    )
    .values(status=ToolUseStatus.SKIPPED, input=None, output=None, files_read=[], files_modified=[])
)

_OF_SESSION = update(SdkSession).where(SdkSession.session_id == bindparam("of_session"))
_TOUCH_SESSION = _OF_SESSION.values(
    last_activity_at_epoch=greatest(SdkSession.last_activity_at_epoch, bindparam("last_at")),
    last_prompt_at_epoch=greatest(SdkSession.last_prompt_at_epoch, bindparam("prompted_at")),
    prompt_count=SdkSession.prompt_count + bindparam("prompts"),
    tool_use_count=SdkSession.tool_use_count + bindparam("tool_uses"),
    title=case(
        (SdkSession.hides_title | bindparam("has_private"), ""),
        (bindparam("new_title") != "", bindparam("new_title")),
        else_=SdkSession.title,
    ),
    hides_title=SdkSession.hides_title | bindparam("has_private"),
)
_IS_AHEAD = SdkSession.completed_at_epoch > bindparam("now")  # by a clock that was set back since
_HAS_WORKED = (SdkSession.completed_at_epoch < bindparam("worked_at")) | (_IS_AHEAD & (bindparam("tool_uses") > 0))
_WAS_GUESSED = or_(*(SdkSession.end_reason.startswith(why) for why in (IDLE, PROCESS_GONE, NO_ACTIVITY, IMPORTED)))
# A prompt makes a session that was over active again; so does any work in one that was only thought to be.
_GO_ON = _OF_SESSION.where(
    (SdkSession.completed_at_epoch < bindparam("prompted_at"))
    | (_IS_AHEAD & (bindparam("prompts") > 0))
    | (_HAS_WORKED & _WAS_GUESSED)
).values(status=SessionStatus.ACTIVE, completed_at=None, completed_at_epoch=None, end_reason=None)

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
    known_tool_uses: set[str]  # ids of those that are in the memory
    last_number: int  # of the session's prompts so far
    number: int  # of the prompt that records belong to now; 0: none of this session
    is_private: bool  # that prompt is
    prompts: list[_Row] = field(default_factory=list)
    tool_uses: dict[str, _Row] = field(default_factory=dict)  # the new ones, by id, with their results where they came
    results: list[_Row] = field(default_factory=list)  # of those that were known
    merged: int = 0  # results that came along with their tool use
    turns: dict[int, _Turn] = field(default_factory=dict)
    title: str = ""
    has_private: bool = False  # some of a prompt was taken out, be it one that a fork has copied
    last_at: int = 0
    prompted_at: int = 0

    def add_all(self, records: Iterable[Record]) -> None:
        """Gather records in their order."""
        for record in records:
            self.add(record)

    def add_of_subagent(self, records: Iterable[Record], starts: Sequence[int], are_private: Sequence[bool]) -> None:
        """Gather the records of a subagent: its work belongs to the prompt that its session had been given last.

        Take when (epochs) each prompt was given, and whether it is private. A subagent that was begun about one that is
        stays so, whatever is asked while it runs on.
        """
        begun = bisect_right(starts, self.source.begun_at)
        for record in records:
            self.number = bisect_right(starts, record.at)
            self.is_private = any(number and are_private[number - 1] for number in (begun, self.number))
            self.add(record)

    def add(self, record: Record) -> None:
        """Gather one record."""
        self.last_at = max(self.last_at, record.at)
        match record:
            case PromptRecord():
                self._add_prompt(record)
            case ToolUseRecord():
                tool_use_id = record.tool_use_id
                if tool_use_id not in self.known_tool_uses and tool_use_id not in self.tool_uses:
                    record = _by_name_only(record) if self.is_private else record
                    self.tool_uses[tool_use_id] = _tool_use_row(self.source, record, self.number)
                self._turn().active_at = record.at
            case ToolResultRecord():
                self._add_result(record)
            case WordsRecord():
                self._turn().active_at = record.at
                if record.text is not None and not self.is_private:
                    self._turn().words = record
            case TurnEndRecord():
                self._turn().ended_at = record.at
            case TitleRecord():
                self.title = record.text

    def _add_prompt(self, record: PromptRecord) -> None:
        """Gather a prompt where it is new; let what follows belong to it.

        One that is typed into a private turn does not end that.
        """
        self.is_private = record.is_private or (record.continues_turn and self.is_private)
        self.has_private = self.has_private or record.had_private
        if record.uuid in self.known:
            session_id, number = self.known[record.uuid]
            self.number = number if session_id == self.source.session_id else 0
            return
        self.last_number += 1
        self.number = self.last_number
        self.known[record.uuid] = (self.source.session_id, self.number)
        self.prompted_at = max(self.prompted_at, record.at)
        self.prompts.append(_prompt_row(self.source, record, self.number, is_private=self.is_private))

    def _add_result(self, record: ToolResultRecord) -> None:
        """Gather a result: most come along with their tool use, and are stored with it at once."""
        row = self.tool_uses.get(record.tool_use_id)
        if row is None:
            self.results.append(_result_row(record))
        elif row["status"] is ToolUseStatus.OPEN:
            row["status"], row["output"], row["is_error"] = ToolUseStatus.PENDING, record.output, record.is_error
            row["finished_at_epoch"] = record.at
            self.merged += 1

    def _turn(self) -> _Turn:
        return self.turns.setdefault(self.number, _Turn())


def take_in(
    connection: Connection, source: Source, records: Sequence[Record], *, now: int, is_anew: bool = False
) -> Taken:
    """Write records in their order; only the new ones count, and none that was forgotten.

    `is_anew`: they may be from before what is known of the session, and belong to the prompt before them.
    """
    if not records:
        return Taken()
    this = {"of_session": source.session_id}
    known = connection.execute(_SESSION, this).one_or_none()
    last = connection.execute(_LAST_PROMPT, this).one()
    if last.has_forgotten:
        # Where a session began says whose it is: its later lines may be from a folder of another project.
        places = (source.project, (known.project if known else "") or source.cwd)
        records = sifting.sift(connection, source, places, records, now=now)
        if not records:
            return Taken()
    # A title carries no time, and makes no session.
    begun_at = next((record.at for record in records if not isinstance(record, TitleRecord)), None)
    if begun_at is not None and (known is None or (source.cwd and not known.project)):
        _make_session(connection, source, begun_at)
    before: Row[int, bool] | None = last
    if is_anew and begun_at is not None:
        before = connection.execute(_PROMPT_AT, {**this, "at": begun_at}).one_or_none()
    gathered = _Pass(
        source,
        _known_prompts(connection, records),
        _known_tool_uses(connection, records),
        last_number=last.prompt_number,
        number=before.prompt_number if before else 0,
        is_private=before is not None and bool(before.is_private),
    )
    if source.agent_id:
        prompts = connection.execute(_PROMPT_STARTS, this).all()
        starts, are_private = [one.created_at_epoch for one in prompts], [one.is_private for one in prompts]
        gathered.add_of_subagent(records, starts, are_private)
    else:
        gathered.add_all(records)
    taken = Taken(
        prompts=_INSERT_PROMPTS.run(connection, gathered.prompts),
        tool_uses=_INSERT_TOOL_USES.run(connection, list(gathered.tool_uses.values())),
        results=gathered.merged + _SET_RESULTS.run(connection, gathered.results),
        turn_ends=sum(1 for turn in gathered.turns.values() if turn.ended_at),
    )
    if not source.agent_id:
        _write_turns(connection, source.session_id, gathered.turns, now=now)
    if taken.prompts:
        _attribute_anew(connection, source.session_id)
    if any(prompt["is_private"] for prompt in gathered.prompts):
        connection.execute(_HIDE, this)
    was_over = known is not None and known.status != SessionStatus.ACTIVE
    _touch_session(connection, gathered, taken, was_over=was_over, now=now)
    return taken


def _make_session(connection: Connection, source: Source, at: int) -> None:
    """Make the session's row where no hook has, or say where it runs, as no line has said before."""
    values = {
        "session_id": source.session_id,
        "project": source.project or source.cwd,
        "cwd": source.cwd,
        "transcript_path": source.transcript_path or source.path,
        "started_at": iso(at),
        "started_at_epoch": at,
    }
    connection.execute(_MAKE_SESSION, values)


def _known_prompts(connection: Connection, records: Iterable[Record]) -> dict[str, tuple[str, int]]:
    """Return which of the prompts are in the memory already, and where: a fork's history is another session's."""
    uuids = [record.uuid for record in records if isinstance(record, PromptRecord)]
    if not uuids:
        return {}
    rows = connection.execute(_KNOWN_PROMPTS, {"uuids": uuids})
    return {uuid: (session_id, number) for uuid, session_id, number in rows}


def _known_tool_uses(connection: Connection, records: Iterable[Record]) -> set[str]:
    """Return which of the tool uses are in the memory already."""
    ids = [record.tool_use_id for record in records if isinstance(record, ToolUseRecord)]
    return set(connection.scalars(_KNOWN_TOOL_USES, {"ids": ids})) if ids else set()


def _attribute_anew(connection: Connection, session_id: str) -> None:
    """Let the work of subagents belong to the prompt before it: their transcripts may be read before the prompt is."""
    connection.execute(_ATTRIBUTE, {"of_session": session_id})


def _by_name_only(record: ToolUseRecord) -> ToolUseRecord:
    return record._replace(input="", files_read=(), files_modified=(), is_skipped=True)


def _prompt_row(source: Source, record: PromptRecord, number: int, *, is_private: bool) -> _Row:
    return {
        "uuid": record.uuid,
        "session_id": source.session_id,
        "prompt_number": number,
        "prompt_text": record.text,
        "identifiers": all_parts([record.text]),
        "continues_turn": record.continues_turn and number > 1,
        "is_private": is_private,
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
        "output": None,
        "is_error": False,
        "files_read": list(record.files_read),
        "files_modified": list(record.files_modified),
        "created_at": iso(record.at),
        "created_at_epoch": record.at,
        "finished_at_epoch": None,
    }


def _result_row(record: ToolResultRecord) -> _Row:
    return {
        "of_tool_use": record.tool_use_id,
        "of_output": record.output,
        "of_error": record.is_error,
        "at": record.at,
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
    _SET_CLOSING_WORDS.run(connection, words)
    _REOPEN_TURNS.run(connection, active)
    _END_TURNS.run(connection, ended)


def _touch_session(connection: Connection, gathered: _Pass, taken: Taken, *, was_over: bool, now: int) -> None:
    """Bring the session's row up to date; a new prompt after its end makes it active again."""
    values = {
        "of_session": gathered.source.session_id,
        # A transcript from a clock ahead of ours must not look active for ever.
        "last_at": min(gathered.last_at, now),
        "prompted_at": gathered.prompted_at,
        "prompts": taken.prompts,
        "tool_uses": taken.tool_uses,
    }
    told = {"new_title": gathered.title, "has_private": gathered.has_private}
    connection.execute(_TOUCH_SESSION, {**values, **told})
    if not was_over:
        return
    goes_on = connection.execute(_GO_ON, {**values, "worked_at": gathered.last_at, "now": now}).rowcount
    # Nothing will end once more what is over: what came late must not wait for a result for ever.
    if taken.tool_uses and not goes_on:
        close_open_tool_uses(connection, gathered.source.session_id)
