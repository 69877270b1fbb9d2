"""Owns the tables: names, columns, keys. `*_at` is ISO 8601 in UTC, `*_epoch` milliseconds since 1970.

The hooks write `sdk_sessions`, `flags`, `deliveries` and `recalls` with the standard library alone, so every column
they leave out has a default in the database itself.
"""

from __future__ import annotations

from typing import Annotated

from sqlalchemy import (
    JSON,
    BigInteger,
    Connection,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    UniqueConstraint,
    event,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from watcher.memory import recalled, search_index
from watcher.memory.states import FlagKind as FlagKind
from watcher.memory.states import SessionStatus as SessionStatus
from watcher.memory.states import SummarySource as SummarySource
from watcher.memory.states import TombstoneKind as TombstoneKind
from watcher.memory.states import ToolUseStatus as ToolUseStatus

Epoch = Annotated[int, "milliseconds since 1970"]
Bytes = Annotated[int, "bytes of a file"]


class Base(DeclarativeBase):
    """Names every constraint, so that a migration can find it again."""

    type_annotation_map = {Epoch: BigInteger, Bytes: BigInteger}  # noqa: RUF012 - read by SQLAlchemy

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class SdkSession(Base):
    """One Claude Code session. Also written by the UserPromptSubmit hook."""

    __tablename__ = "sdk_sessions"
    __table_args__ = (
        Index(None, "status", "last_activity_at_epoch"),
        Index(None, "project", "started_at_epoch"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[str] = mapped_column(unique=True)
    project: Mapped[str] = mapped_column(server_default="")  # the folder the session was started in
    cwd: Mapped[str] = mapped_column(server_default="")
    transcript_path: Mapped[str] = mapped_column(server_default="")
    status: Mapped[str] = mapped_column(server_default=SessionStatus.ACTIVE)
    title: Mapped[str] = mapped_column(server_default="")
    hides_title: Mapped[bool] = mapped_column(server_default=text("0"))  # it is made from prompts, and one was private
    started_at: Mapped[str]
    started_at_epoch: Mapped[Epoch]
    completed_at: Mapped[str | None]
    completed_at_epoch: Mapped[Epoch | None]
    last_activity_at_epoch: Mapped[Epoch] = mapped_column(server_default=text("0"))
    last_prompt_at_epoch: Mapped[Epoch] = mapped_column(server_default=text("0"))
    end_reason: Mapped[str | None]
    prompt_count: Mapped[int] = mapped_column(server_default=text("0"))
    tool_use_count: Mapped[int] = mapped_column(server_default=text("0"))
    observation_count: Mapped[int] = mapped_column(server_default=text("0"))
    agent_requests: Mapped[int] = mapped_column(server_default=text("0"))
    input_tokens: Mapped[int] = mapped_column(server_default=text("0"))
    output_tokens: Mapped[int] = mapped_column(server_default=text("0"))
    cost_usd: Mapped[float] = mapped_column(server_default=text("0"))


class UserPrompt(Base):
    """One human prompt, and the assistant's last words before the next one."""

    __tablename__ = "user_prompts"
    __table_args__ = (UniqueConstraint("session_id", "prompt_number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(unique=True)  # of its entry: a fork's copy has the same
    session_id: Mapped[str] = mapped_column(ForeignKey("sdk_sessions.session_id", ondelete="CASCADE"))
    prompt_number: Mapped[int]  # from 1
    prompt_text: Mapped[str]
    continues_turn: Mapped[bool]  # typed while the turn before was still running
    is_private: Mapped[bool] = mapped_column(server_default=text("0"))  # of what is done about it, names are kept alone
    closing_text: Mapped[str] = mapped_column(server_default="")
    closing_at_epoch: Mapped[Epoch] = mapped_column(server_default=text("0"))
    ended_at_epoch: Mapped[Epoch | None]  # when the transcript itself says that the turn was over
    identifiers: Mapped[str] = mapped_column(server_default="")  # taken apart, for the search index
    created_at: Mapped[str]
    created_at_epoch: Mapped[Epoch]


# Written out, as SQLite takes an index of some rows only for a query that says the same without parameters.
OF_SUBAGENT = text("agent_id != ''")
IS_PENDING = text("status = 'pending'")
IS_PROVISIONAL = text("source = 'provisional'")
IS_TO_HEED = text(recalled.IS_TO_HEED)


class ToolUse(Base):
    """One tool use: the queue between ingest and digest."""

    __tablename__ = "tool_uses"
    __table_args__ = (
        Index(None, "session_id", "status", "prompt_number"),
        Index("ix_tool_uses_of_subagents", "session_id", sqlite_where=OF_SUBAGENT),
        Index("ix_tool_uses_pending", "session_id", "status", sqlite_where=IS_PENDING),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    tool_use_id: Mapped[str] = mapped_column(unique=True)  # over all sessions: a fork copies history
    session_id: Mapped[str] = mapped_column(ForeignKey("sdk_sessions.session_id", ondelete="CASCADE"))
    prompt_number: Mapped[int]  # 0: before any prompt was seen
    agent_id: Mapped[str] = mapped_column(server_default="")  # the subagent that used it; empty: the main one
    name: Mapped[str]
    status: Mapped[str]
    input: Mapped[str | None]  # excerpt; None once observed
    output: Mapped[str | None]  # excerpt; None while open and once observed
    is_error: Mapped[bool] = mapped_column(server_default=text("0"))
    files_read: Mapped[list[str]] = mapped_column(JSON)
    files_modified: Mapped[list[str]] = mapped_column(JSON)
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    origin: Mapped[str] = mapped_column(server_default="")  # of its output; told when it is observed
    created_at: Mapped[str]
    created_at_epoch: Mapped[Epoch]
    finished_at_epoch: Mapped[Epoch | None]


class Observation(Base):
    """One thing worth remembering."""

    __tablename__ = "observations"
    __table_args__ = (
        UniqueConstraint("session_id", "content_hash"),
        Index(None, "project", "created_at_epoch"),
        Index("ix_observations_to_heed", "project", "created_at_epoch", sqlite_where=IS_TO_HEED),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("sdk_sessions.session_id", ondelete="CASCADE"))
    project: Mapped[str]
    prompt_number: Mapped[int]
    type: Mapped[str]  # bugfix, feature, refactor, change, discovery, decision
    title: Mapped[str]
    subtitle: Mapped[str]
    narrative: Mapped[str]
    facts: Mapped[list[str]] = mapped_column(JSON)
    concepts: Mapped[list[str]] = mapped_column(JSON)
    files_read: Mapped[list[str]] = mapped_column(JSON)
    files_modified: Mapped[list[str]] = mapped_column(JSON)
    tool_use_ids: Mapped[list[str]] = mapped_column(JSON)  # what it rests on; of basis turn: all of its turn's
    basis: Mapped[str] = mapped_column(server_default="")  # named by the agent, or the words of its turn; see states
    origin: Mapped[str] = mapped_column(server_default="")  # where that came from: see privacy.origin
    agent: Mapped[str]  # who worded it: claude, extractive
    content_hash: Mapped[str]
    identifiers: Mapped[str] = mapped_column(server_default="")  # taken apart, for the search index
    created_at: Mapped[str]
    created_at_epoch: Mapped[Epoch]


class SessionSummary(Base):
    """One turn's summary."""

    __tablename__ = "session_summaries"
    __table_args__ = (
        UniqueConstraint("session_id", "prompt_number"),
        Index(None, "project", "created_at_epoch"),
        Index("ix_session_summaries_provisional", "session_id", sqlite_where=IS_PROVISIONAL),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("sdk_sessions.session_id", ondelete="CASCADE"))
    project: Mapped[str]
    prompt_number: Mapped[int]  # of the turn's last prompt
    request: Mapped[str]
    investigated: Mapped[str]
    learned: Mapped[str]
    completed: Mapped[str]
    next_steps: Mapped[str]
    notes: Mapped[str]
    summary_text: Mapped[str]  # the six fields as one readable text
    source: Mapped[str]
    agent: Mapped[str]
    origin: Mapped[str] = mapped_column(server_default="")  # where what it tells of came from: see privacy.origin
    closing_at_epoch: Mapped[Epoch]  # the closing words it knew of
    attempts: Mapped[int] = mapped_column(server_default=text("0"))  # of the agent, while provisional
    last_error: Mapped[str | None]
    identifiers: Mapped[str] = mapped_column(server_default="")  # taken apart, for the search index
    created_at: Mapped[str]
    created_at_epoch: Mapped[Epoch]
    updated_at_epoch: Mapped[Epoch]


class AgentRequest(Base):
    """One request to an agent that costs something, answered or not; it outlives the session it was made for."""

    __tablename__ = "agent_requests"
    __table_args__ = (Index(None, "created_at_epoch"), Index(None, "session_id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[str]
    project: Mapped[str]
    agent: Mapped[str]
    model: Mapped[str]
    outcome: Mapped[str]  # answered, or the kind of the error; asked while it is under way, or where it was cut off
    turns: Mapped[int]
    tool_uses: Mapped[int]
    input_tokens: Mapped[int]  # cached ones included
    output_tokens: Mapped[int]
    cost_usd: Mapped[float]
    created_at: Mapped[str]
    created_at_epoch: Mapped[Epoch]


class Checkpoint(Base):
    """How far a transcript has been taken in, and what it looked like up to there."""

    __tablename__ = "checkpoints"

    path: Mapped[str] = mapped_column(primary_key=True)
    session_id: Mapped[str]
    file_id: Mapped[str]  # device and inode
    offset: Mapped[Bytes]  # always just behind a newline
    head_length: Mapped[Bytes]  # of the head that `head_hash` covers
    head_hash: Mapped[str]
    marker_hash: Mapped[str]  # of the bytes just before the offset
    lines_taken: Mapped[int] = mapped_column(server_default=text("0"))
    lines_skipped: Mapped[int] = mapped_column(server_default=text("0"))
    updated_at_epoch: Mapped[Epoch]
    since_epoch: Mapped[Epoch] = mapped_column(server_default=text("0"))  # what was written before was left alone


class BrokenLine(Base):
    """One line of a transcript that is no entry."""

    __tablename__ = "broken_lines"
    __table_args__ = (UniqueConstraint("path", "offset", "line_hash"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[str]
    offset: Mapped[Bytes]
    length: Mapped[Bytes]
    line_hash: Mapped[str]
    head: Mapped[bytes] = mapped_column(LargeBinary)  # its first bytes, as they are
    reason: Mapped[str]
    seen_at_epoch: Mapped[Epoch]


class Flag(Base):
    """One signal of a hook. Raised by the Stop and SessionEnd hooks, lowered by the watcher."""

    __tablename__ = "flags"
    __table_args__ = (Index("ix_flags_raised", "raised_at_epoch", sqlite_where=text("lowered_at_epoch IS NULL")),)

    id: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[str]
    kind: Mapped[str]
    project: Mapped[str] = mapped_column(server_default="")
    event: Mapped[str]  # JSON, as the hook got it
    raised_at_epoch: Mapped[Epoch]
    lowered_at_epoch: Mapped[Epoch | None]
    outcome: Mapped[str | None]


class Context(Base):
    """What the next session of a project will read. Printed by the SessionStart hook."""

    __tablename__ = "contexts"

    project: Mapped[str] = mapped_column(primary_key=True)
    text: Mapped[str]
    rendered_at_epoch: Mapped[Epoch]


class ProjectFolder(Base):
    """One folder that a session began in, or the root of its repository, and the project that it belongs to."""

    __tablename__ = "project_folders"
    __table_args__ = (Index(None, "project"),)

    folder: Mapped[str] = mapped_column(primary_key=True)
    project: Mapped[str]
    looked_at_epoch: Mapped[Epoch]


class ProjectIdentity(Base):
    """One thing by which a project's repository is known again: where it comes from, or a first commit of it."""

    __tablename__ = "project_identities"
    __table_args__ = (Index(None, "project"),)

    identity: Mapped[str] = mapped_column(primary_key=True)  # remote:… or commit:…
    project: Mapped[str]


class ProjectName(Base):
    """A name that the user gave a project."""

    __tablename__ = "project_names"

    project: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]


class Delivery(Base):
    """One SessionStart that got its context: with the hooks set up twice, one of the two prints."""

    __tablename__ = "deliveries"
    __table_args__ = (Index(None, "session_id", "delivered_at_epoch"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[str]
    source: Mapped[str]  # startup, resume, fork
    project: Mapped[str] = mapped_column(server_default="")
    delivered_at_epoch: Mapped[Epoch]


class Recall(Base):
    """One observation that a session was told of with a prompt, so that it is not told twice. Written by a hook."""

    __tablename__ = "recalls"
    __table_args__ = (UniqueConstraint("session_id", "observation_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[str]
    observation_id: Mapped[int]
    recalled_at_epoch: Mapped[Epoch]


class Watcher(Base):
    """One run of the watcher."""

    __tablename__ = "watchers"

    id: Mapped[int] = mapped_column(primary_key=True)
    pid: Mapped[int]
    version: Mapped[str]
    started_at_epoch: Mapped[Epoch]
    heartbeat_at_epoch: Mapped[Epoch]
    stopped_at_epoch: Mapped[Epoch | None]
    stop_reason: Mapped[str | None]


class Condition(Base):
    """One thing that is wrong at this moment, as the watcher sees it; the row goes when it is right again."""

    __tablename__ = "conditions"

    name: Mapped[str] = mapped_column(primary_key=True)  # the link of the chain: agent, watching, transcripts, database
    state: Mapped[str]  # a short stable word: login, overloaded, polling, unreadable, rebuilt
    text: Mapped[str]
    hint: Mapped[str] = mapped_column(server_default="")
    since_epoch: Mapped[Epoch]
    until_epoch: Mapped[Epoch | None]  # when it is tried again, where that is known


class Forgotten(Base):
    """One tombstone: what was forgotten, so that it does not come in again. It holds ids and times, and no text."""

    __tablename__ = "forgotten"
    __table_args__ = (UniqueConstraint("kind", "key", "since_epoch"),)

    id: Mapped[int] = mapped_column(primary_key=True)  # grows with each forgetting: see `tombstones.count`
    kind: Mapped[str]
    key: Mapped[str]  # the id, or a hash of what names a project; empty where the times are all projects'
    since_epoch: Mapped[Epoch] = mapped_column(server_default=text("0"))
    until_epoch: Mapped[Epoch] = mapped_column(server_default=text("0"))  # itself included
    is_open: Mapped[bool] = mapped_column(server_default=text("0"))  # until the next prompt; or: not overwritten yet
    forgotten_at_epoch: Mapped[Epoch]


@event.listens_for(Base.metadata, "after_create")
def _make_search_index(_target: object, connection: Connection, **_: object) -> None:
    for statement in search_index.MAKE:
        connection.exec_driver_sql(statement)
