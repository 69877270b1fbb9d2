"""Owns turning what was taken in into what is remembered: provisional summaries at once, the agent's later.

A provisional summary needs no model: it and the project's context are readable in the same transaction that lowers
the flag. The agent's answer then replaces it in place. Observations and the mark on the tool uses that they rest on
are one transaction too, so an agent that is asked twice is stored once.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from enum import Enum, auto

from sqlalchemy import Connection

from watcher.agent import base
from watcher.agent.extractive import ExtractiveAgent
from watcher.memory import conditions, outcomes, recollection, turns
from watcher.memory.database import Database, DatabaseBusyError
from watcher.recall import context
from watcher.service.events import Clock, Event, EventKind, Listener, now
from watcher.settings import Settings

BACKGROUND_QUIET = 30.0  # seconds without a new tool use before a summarised turn is summarised again for the last ones
DATABASE_PAUSE = 1.0  # seconds before a locked database is tried again
MAY_LIE_IN_THE_BATCH = {"crashed", "refused", "timeout", "unreadable"}  # kinds of AgentError


class Outcome(Enum):
    """What came of asking the agent."""

    NOTHING_TO_DO = auto()
    DONE = auto()  # one batch is digested; there may be more
    FAILED = auto()  # no usable answer; the batch is kept


@dataclass(frozen=True, slots=True)
class _Job:
    """One batch, and the turn that it is of."""

    turn: turns.Turn
    tool_uses: Sequence[turns.StoredToolUse]
    batch: base.Batch


class Digest:
    """Summarises turns and has tool uses observed. Holds nothing of its own: the database says what is due."""

    def __init__(
        self,
        database: Database,
        agent: base.Agent,
        settings: Settings,
        *,
        listener: Listener = lambda _event: None,
        clock: Clock = now,
    ) -> None:
        self._database = database
        self._agent = agent
        self._settings = settings
        self._listener = listener
        self._clock = clock
        self._provisional = ExtractiveAgent()
        self._stopping = threading.Event()

    def summarise(self, connection: Connection, session_id: str, *, is_ending: bool = False) -> int:
        """Store a provisional summary of every turn that is over and lacks one, and render the context.

        Return how many were stored.
        """
        stored = 0
        project = ""
        for turn in turns.turns(connection, session_id, is_ending=is_ending):
            if turn.lacks_summary:
                batch = _batch(connection, turn, turns.tool_uses(connection, turn), wants_summary=True)
                summary = self._provisional.digest(batch).summary or base.Summary()
                stored += outcomes.put_provisional(
                    connection, turn, _summary_fields(summary), agent=self._provisional.name, now=self._clock()
                )
                project = turn.project
        if project:
            self._render(connection, project)
        return stored

    def ask_agent(self, session_id: str) -> Outcome:
        """Have the agent digest one batch of a session, the oldest that is due. Blocks for as long as it thinks."""
        with self._database.read() as connection:
            job = self._next_job(connection, session_id)
        if job is None:
            return Outcome.NOTHING_TO_DO
        try:
            reply = self._agent.digest(job.batch)
        except base.AgentError as error:
            if error.kind == "stopped":
                return Outcome.NOTHING_TO_DO  # The watcher ends; the next one asks again.
            self._count_failure(job, error)
            return Outcome.FAILED
        except Exception as error:
            # A defect of ours must not have the same batch asked, and paid, for ever.
            self._count_failure(job, base.AgentError(repr(error), kind="crashed"))
            raise
        return Outcome.DONE if self._keep(job, reply) else Outcome.NOTHING_TO_DO

    def due(self, *, but: Set[str] = frozenset(), most: int = sys.maxsize) -> list[str]:
        """Return the sessions for which the agent is to be asked, those that waited longest first."""
        found: list[str] = []
        with self._database.read() as connection:
            for session_id in turns.sessions_with_work(connection, self._settings.agent.max_attempts):
                if len(found) == most:
                    break
                if session_id not in but and self._next_job(connection, session_id) is not None:
                    found.append(session_id)
        return found

    def stop(self) -> None:
        """Let no answer wait for a locked database any longer: the watcher ends."""
        self._stopping.set()

    def note_rest(self, seconds: float) -> None:
        """Say when the agent is tried again."""
        with self._database.write() as connection:
            conditions.put_off(connection, conditions.AGENT, until=self._clock() + round(seconds * 1000))

    def _next_job(self, connection: Connection, session_id: str) -> _Job | None:
        size = self._settings.agent.batch_size
        for turn in turns.turns(connection, session_id):
            if self._is_due(turn):
                pending = turns.pending_tool_uses(connection, turn, size)
                is_last = turn.is_over and turn.pending <= size
                return _Job(turn, pending, _batch(connection, turn, pending, wants_summary=is_last))
        return None

    def _is_due(self, turn: turns.Turn) -> bool:
        """Say whether the agent is to be asked about a turn now."""
        if not turn.is_over or turn.has_last_word:
            # While it runs, or a background task of it still works: in whole batches, or once that falls silent.
            is_quiet = turn.is_over and self._clock() - turn.last_at >= BACKGROUND_QUIET * 1000
            return turn.pending > self._settings.agent.batch_size or (is_quiet and turn.pending > 0)
        # The tries are those at one batch: as long as there are others, the turn is not given up.
        return turn.pending > 0 or turn.attempts < self._settings.agent.max_attempts

    def _keep(self, job: _Job, reply: base.Reply) -> bool:
        """Store an answer, however long the database is locked: it was paid for. Say whether it is stored."""
        while not self._stopping.is_set():
            try:
                self._store(job, reply)
            except DatabaseBusyError:
                self._stopping.wait(DATABASE_PAUSE)
            else:
                return True
        return False

    def _store(self, job: _Job, reply: base.Reply) -> None:
        with self._database.write() as connection:
            new = outcomes.put_observations(
                connection,
                job.turn,
                [_observation_fields(observation, job) for observation in reply.observations],
                agent=self._agent.name,
            )
            outcomes.mark_observed(connection, [use.tool_use_id for use in job.tool_uses])
            if reply.summary is not None:
                outcomes.put_agent_summary(
                    connection,
                    job.turn,
                    _summary_fields(reply.summary),
                    agent=self._agent.name,
                    now=self._clock(),
                )
            _add_usage(connection, job, reply.usage)
            conditions.clear(connection, conditions.AGENT)
            self._render(connection, job.turn.project)
        summary = " and a summary" if reply.summary is not None else ""
        self._tell(EventKind.OBSERVED, job.turn, f"{_plural(new, 'observation')}{summary} by {self._agent.name}")

    def _count_failure(self, job: _Job, error: base.AgentError) -> None:
        with self._database.write() as connection:
            outcomes.count_failure(
                connection,
                job.turn,
                [use.tool_use_id for use in job.tool_uses],
                error=f"{error.kind}: {error}",
                # Without a login, or with the API down, every try is in vain; that is not the batch's fault.
                counts=error.kind in MAY_LIE_IN_THE_BATCH,
                max_attempts=self._settings.agent.max_attempts,
            )
            _add_usage(connection, job, error.usage)
            text, moment = str(error), self._clock()
            conditions.put(connection, conditions.AGENT, error.kind, text, hint=error.hint, now=moment)
        hint = f" ({error.hint})" if error.hint else ""
        self._tell(EventKind.TROUBLE, job.turn, f"agent {error.kind}: {error}{hint}")

    def _render(self, connection: Connection, project: str) -> None:
        text = context.render(connection, project, self._settings.context)
        recollection.put_context(connection, project, text, now=self._clock())

    def _tell(self, kind: EventKind, turn: turns.Turn, text: str) -> None:
        self._listener(Event(kind, text, turn.session_id))


def _batch(
    connection: Connection, turn: turns.Turn, uses: Sequence[turns.StoredToolUse], *, wants_summary: bool
) -> base.Batch:
    return base.Batch(
        project=turn.project,
        prompts=turn.prompts,
        tool_uses=tuple(
            base.ToolUse(
                tool_use_id=use.tool_use_id,
                name=use.name,
                input=use.input,
                output=use.output,
                is_error=use.is_error,
                files_read=use.files_read,
                files_modified=() if use.is_error else use.files_modified,
            )
            for use in uses
        ),
        closing_text=turn.closing_text if wants_summary else "",
        previous_summary=turns.summary_before(connection, turn),
        earlier_titles=turns.observation_titles(connection, turn),
        wants_summary=wants_summary,
    )


def _add_usage(connection: Connection, job: _Job, usage: base.Usage) -> None:
    outcomes.add_usage(
        connection,
        job.turn.session_id,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cost_usd=usage.cost_usd,
    )


def _summary_fields(summary: base.Summary) -> outcomes.SummaryFields:
    return outcomes.SummaryFields(
        request=summary.request,
        investigated=summary.investigated,
        learned=summary.learned,
        completed=summary.completed,
        next_steps=summary.next_steps,
        notes=summary.notes,
    )


def _observation_fields(observation: base.Observation, job: _Job) -> outcomes.ObservationFields:
    """Return an observation as it is stored; its files are those of its tool uses, not what a model says."""
    named = set(observation.tool_use_ids)
    uses = [use for use in job.tool_uses if use.tool_use_id in named] or list(job.tool_uses)
    return outcomes.ObservationFields(
        type=observation.type,
        title=observation.title,
        subtitle=observation.subtitle,
        narrative=observation.narrative,
        facts=observation.facts,
        concepts=observation.concepts,
        files_read=_unique(path for use in uses for path in use.files_read),
        files_modified=_unique(path for use in uses if not use.is_error for path in use.files_modified),
        tool_use_ids=tuple(use.tool_use_id for use in uses),
        at=max((use.at for use in uses), default=job.turn.last_at),
    )


def _unique(paths: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(paths))


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
