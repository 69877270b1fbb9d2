"""Owns turning what was taken in into what is remembered: provisional summaries at once, the agent's later.

A provisional summary needs no model: it and the project's context are readable in the same transaction that lowers
the flag. The agent's answer then replaces it in place. Observations and the mark on the tool uses that they rest on
are one transaction too, so an agent that is asked twice is stored once.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from types import MappingProxyType

from sqlalchemy import Connection

from watcher.agent import base
from watcher.agent.extractive import ExtractiveAgent
from watcher.memory import conditions, outcomes, requests, sessions, tombstones, turns
from watcher.memory.database import Database, DatabaseBusyError
from watcher.memory.models import SummarySource
from watcher.memory.states import Basis
from watcher.memory.turns import StoredToolUse, Turn
from watcher.privacy.passages import without_private
from watcher.privacy.redaction import redact
from watcher.recall.rendering import bring_up_to_date
from watcher.service import provenance
from watcher.service.batches import Batches, Part
from watcher.service.budget import UNBOUNDED, Budget, Leave
from watcher.service.events import Clock, Event, EventKind, Listener, now
from watcher.service.provenance import Provenance
from watcher.settings import Settings

DATABASE_PAUSE = 1.0  # seconds before a locked database is tried again
MAY_LIE_IN_THE_BATCH = {"crashed", "refused", "timeout", "unreadable"}  # kinds of AgentError
MAY_HAVE_COST = {"crashed", "timeout", "unreadable"}  # though the error may not know what


class Outcome(Enum):
    """What came of asking the agent."""

    NOTHING_TO_DO = auto()
    DONE = auto()  # one batch is digested; there may be more
    FAILED = auto()  # no usable answer; the batch is kept
    PUT_OFF = auto()  # the day's budget is spent; the batch is kept


@dataclass(frozen=True, slots=True)
class _Job:
    """One batch, the turns that it is of, and the tool uses of each as they are stored."""

    parts: Sequence[Part]
    tool_uses: Sequence[Sequence[StoredToolUse]]
    batch: base.Batch
    forgotten: int  # `tombstones.last_command` as it was read
    provenance: Provenance

    @property
    def session_id(self) -> str:
        return self.parts[0].turn.session_id

    @property
    def project(self) -> str:
        return self.parts[0].turn.project

    @property
    def tool_use_ids(self) -> list[str]:
        return [use.tool_use_id for uses in self.tool_uses for use in uses]


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
        self._is_free = agent.name == ExtractiveAgent.name  # then there is nothing to save
        self._batches = Batches(
            # What costs nothing is shown a turn whole: it can tell no more of it than it is shown.
            size=turns.TURN_LIMIT if self._is_free else settings.agent.batch_size,
            quiet=0.0 if self._is_free else settings.agent.quiet,
            max_attempts=settings.agent.max_attempts,
            clock=clock,
        )
        bounds = UNBOUNDED if self._is_free else settings.agent
        self._budget = Budget(database, bounds, listener=listener, clock=clock)
        self._stopping = threading.Event()

    def summarise(self, connection: Connection, session_id: str, *, is_ending: bool = False) -> int:
        """Store a provisional summary of every turn that is over and lacks one, and render the context.

        Return how many were stored.
        """
        stored = 0
        project = ""
        unseen = 0  # bytes said in turns of a few words
        worth = self._settings.agent.worth_asking
        for turn in turns.turns(connection, session_id, is_ending=is_ending):
            if turn.lacks_summary:
                uses = turns.tool_uses(connection, turn)
                unseen += turn.words
                is_asked = bool(uses) or turn.summary_source == SummarySource.AGENT or unseen >= worth
                is_brief = not is_asked and not self._is_free
                summary = self._provisional.summary(_turn(turn, uses), turn.project)
                stored += outcomes.put_provisional(
                    connection,
                    turn,
                    _summary_fields(summary),
                    is_brief=is_brief,
                    agent=self._provisional.name,
                    origin=provenance.of_turns(connection, [(turn, uses)]).turns[turn.number],
                    now=self._clock(),
                )
                project = turn.project
                unseen = unseen if is_brief else 0
            elif turn.is_brief:
                unseen += turn.words
        if project:
            self._render(connection, project)
        return stored

    def ask_agent(self, session_id: str) -> Outcome:
        """Have the agent digest one batch of a session, if one is due. Blocks for as long as it thinks."""
        with self._database.read() as connection:
            job = self._next_job(connection, session_id)
            is_spent = job is not None and self._budget.is_session_spent(connection, session_id)
        if job is None:
            return Outcome.NOTHING_TO_DO
        if is_spent:
            self._tell_once_of_session(job)
            return self._answered(job, self._provisional.digest(job.batch), by=self._provisional.name, request_id=None)
        request_id = None
        if not self._is_free:
            try:
                request_id = self._begin(job)
            except DatabaseBusyError:
                return Outcome.NOTHING_TO_DO  # It is asked again: what it says must be stored as well.
            if request_id is None:
                return Outcome.PUT_OFF
        try:
            reply = self._agent.digest(job.batch)
        except base.AgentError as error:
            if error.kind == "stopped":
                return Outcome.NOTHING_TO_DO  # The watcher ends; the next one asks again.
            self._count_failure(job, error, request_id)
            return Outcome.FAILED
        except Exception as error:
            # A defect of ours must not have the same batch asked, and paid, for ever.
            self._count_failure(job, base.AgentError(repr(error), kind="crashed"), request_id)
            raise
        return self._answered(job, reply, by=self._agent.name, request_id=request_id)

    def render(self, project: str) -> None:
        """Render what the next session of a project will read; take it away where nothing is known of it."""
        with self._database.write() as connection:
            self._render(connection, project)

    def due(self) -> list[str]:
        """Return the sessions for which the agent is to be asked, those that waited longest first.

        None while the day's budget is spent; once it is back, the newest first until all that waited is done.
        """
        moment = self._clock()
        with self._database.read() as connection:
            found = [session_id for session_id, due_at in self._waiting(connection) if due_at <= moment]
        return self.leave(is_wanted=bool(found)).of(found)

    def leave(self, *, is_wanted: bool) -> Leave:
        """Return whom the agent may be asked about, as the day's budget stands; tell how it does where that is news.

        Take whether there is anyone to ask about.
        """
        return self._budget.look(is_wanted=is_wanted)

    def next_due_at(self) -> int | None:
        """Return when (epoch) the agent is to be asked next, as things stand; None where nothing waits for it."""
        with self._database.read() as connection:
            due_at = min((due_at for _, due_at in self._waiting(connection)), default=None)
            is_spent = due_at is not None and self._budget.spent(connection)
        return max(due_at, self._budget.back_at()) if due_at is not None and is_spent else due_at

    def sessions_with_work(self, since: int) -> list[str]:
        """Return the sessions that may wait for the agent, those that waited longest first (see `turns`)."""
        with self._database.read() as connection:
            return turns.sessions_with_work(connection, self._settings.agent.max_attempts, since=since)

    def work_of(self, session_id: str) -> tuple[int, int] | None:
        """Return from when on a session's work is due, and since when it waits (epochs); None where there is none."""
        with self._database.read() as connection:
            due_at = self._batches.due_at(connection, session_id)
            known = sessions.session(connection, session_id) if due_at is not None else None
        return (due_at, known.last_activity_at) if due_at is not None and known is not None else None

    def _waiting(self, connection: Connection) -> Iterator[tuple[str, int]]:
        """Yield the sessions that wait for the agent, and from when on it is to be asked about them."""
        for session_id in turns.sessions_with_work(connection, self._settings.agent.max_attempts):
            due_at = self._batches.due_at(connection, session_id)
            if due_at is not None:
                yield session_id, due_at

    def stop(self) -> None:
        """Let no answer wait for a locked database any longer: the watcher ends."""
        self._stopping.set()

    def note_rest(self, seconds: float) -> None:
        """Say when the agent is tried again."""
        with self._database.write() as connection:
            conditions.put_off(connection, conditions.AGENT, until=self._clock() + round(seconds * 1000))

    def _next_job(self, connection: Connection, session_id: str) -> _Job | None:
        parts = self._batches.next(connection, session_id)
        if not parts:
            return None
        first, last = parts[0].turn, parts[-1].turn
        uses = [turns.pending_tool_uses(connection, part.turn, part.tool_uses) for part in parts]
        origins = provenance.of_turns(connection, [(part.turn, some) for part, some in zip(parts, uses, strict=True)])
        batch = base.Batch(
            project=first.project,
            turns=tuple(
                _turn(
                    part.turn,
                    some,
                    origins.uses,
                    own=turns.own_summary(connection, part.turn),
                    wants_summary=part.wants_summary,
                )
                for part, some in zip(parts, uses, strict=True)
            ),
            previous_summary=redact(turns.summary_before(connection, first)),
            earlier_titles=tuple(map(redact, turns.observation_titles(connection, first, last))),
        )
        return _Job(parts, uses, batch, tombstones.last_command(connection), origins)

    def _begin(self, job: _Job) -> int | None:
        """Write down that a request is made, and return its id; None where the day's budget is spent."""
        with self._database.write() as connection:
            if self._budget.spent(connection):
                return None
            return requests.begin(
                connection,
                session_id=job.session_id,
                project=job.project,
                agent=self._agent.name,
                model=self._settings.agent.model,
                turns=len(job.parts),
                tool_uses=len(job.tool_use_ids),
                now=self._clock(),
            )

    def _answered(self, job: _Job, reply: base.Reply, *, by: str, request_id: int | None) -> Outcome:
        """Store an answer, however long the database is locked: it was paid for."""
        while not self._stopping.is_set():
            try:
                self._store(job, reply, by, request_id)
            except DatabaseBusyError:
                self._stopping.wait(DATABASE_PAUSE)
            else:
                return Outcome.DONE
        return Outcome.NOTHING_TO_DO

    def _store(self, job: _Job, reply: base.Reply, by: str, request_id: int | None) -> None:
        with self._database.write() as connection:
            if self._is_overtaken(connection, job):
                if request_id is not None:
                    _finish(connection, request_id, requests.ANSWERED, reply.usage)
                return
            new = outcomes.put_observations(
                connection,
                job.session_id,
                job.project,
                [_observation_fields(observation, job) for observation in reply.observations],
                agent=by,
            )
            outcomes.mark_observed(connection, job.provenance.uses)
            for part in job.parts:
                if summary := reply.summaries.get(part.turn.number):
                    outcomes.put_agent_summary(
                        connection,
                        part.turn,
                        _summary_fields(summary),
                        agent=by,
                        origin=job.provenance.of_summary(part.turn.number),
                        now=self._clock(),
                    )
            missing = [number for number in job.batch.wanted if number not in reply.summaries]
            outcomes.count_missing(connection, job.session_id, missing)
            if request_id is not None:
                _finish(connection, request_id, requests.ANSWERED, reply.usage)
            if by == self._agent.name:
                conditions.clear(connection, conditions.AGENT)
            self._render(connection, job.project)
        told = [_plural(new, "observation", "observations")]
        if reply.summaries:
            told.append(_plural(len(reply.summaries), "summary", "summaries"))
        self._tell(EventKind.OBSERVED, job, f"{' and '.join(told)} by {by}")

    def _is_overtaken(self, connection: Connection, job: _Job) -> bool:
        """Say whether something was forgotten since a batch was read: the answer must not bring that back.

        The agent was shown titles and a summary from before, too, so any forgetting counts; what is left is asked anew.
        """
        return tombstones.last_command(connection) != job.forgotten

    def _count_failure(self, job: _Job, error: base.AgentError, request_id: int | None) -> None:
        with self._database.write() as connection:
            if not self._is_overtaken(connection, job):  # else its turns may bear other numbers by now
                outcomes.count_failure(
                    connection,
                    job.session_id,
                    job.tool_use_ids,
                    turns=[turn.number for turn in job.batch.turns],
                    wanted=job.batch.wanted,
                    error=f"{error.kind}: {error}",
                    # Without a login, or with the API down, every try is in vain; that is not the batch's fault.
                    counts=error.kind in MAY_LIE_IN_THE_BATCH,
                    max_attempts=self._settings.agent.max_attempts,
                )
            if request_id is not None:
                if error.usage != base.Usage() or error.kind in MAY_HAVE_COST:
                    _finish(connection, request_id, error.kind, error.usage)
                else:
                    requests.drop(connection, request_id)
            text, moment = str(error), self._clock()
            conditions.put(connection, conditions.AGENT, error.kind, text, hint=error.hint, now=moment)
        hint = f" ({error.hint})" if error.hint else ""
        self._tell(EventKind.TROUBLE, job, f"agent {error.kind}: {error}{hint}")

    def _tell_once_of_session(self, job: _Job) -> None:
        """Say that a session has had its tokens, unless what is digested without the model says so already."""
        with self._database.read() as connection:
            is_told = outcomes.is_by(connection, job.session_id, self._provisional.name)
        if not is_told:
            tokens = f"{self._settings.agent.session_tokens:,} tokens"
            text = f"budget: the session has had its {tokens}; the rest of it is digested without the model"
            self._tell(EventKind.TROUBLE, job, f"{text} (session_tokens under [agent] in config.toml)")

    def _render(self, connection: Connection, project: str) -> None:
        bring_up_to_date(connection, project, self._settings.context, now=self._clock())

    def _tell(self, kind: EventKind, job: _Job, text: str) -> None:
        self._listener(Event(kind, text, job.session_id))


def _turn(
    turn: Turn,
    uses: Sequence[StoredToolUse],
    origins: Mapping[str, str] = MappingProxyType({}),
    *,
    own: str = "",
    wants_summary: bool = True,
) -> base.Turn:
    """Return a turn, or a part of it, as an agent is shown it: without what an older version may have let in."""
    return base.Turn(
        number=turn.number,
        prompts=tuple(redact(without_private(prompt).text) for prompt in turn.prompts),
        tool_uses=tuple(
            base.ToolUse(
                tool_use_id=use.tool_use_id,
                name=use.name,
                input=redact(use.input),
                output=redact(use.output),
                is_error=use.is_error,
                files_read=use.files_read,
                files_modified=() if use.is_error else use.files_modified,
                origin=origins.get(use.tool_use_id, ""),
            )
            for use in uses
        ),
        closing_text=redact(turn.closing_text) if wants_summary else "",
        summary=redact(own),
        wants_summary=wants_summary,
    )


def _finish(connection: Connection, request_id: int, outcome: str, cost: base.Usage) -> None:
    requests.finish(
        connection,
        request_id,
        outcome=outcome,
        input_tokens=cost.input_tokens,
        output_tokens=cost.output_tokens,
        cost_usd=cost.cost_usd,
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
    """Return an observation as it is stored; its turn and files are those of its tool uses, not what a model says."""
    named = set(observation.tool_use_ids)
    own = [(part.turn, use) for part, some in zip(job.parts, job.tool_uses, strict=True) for use in some]
    found = [(turn, use) for turn, use in own if use.tool_use_id in named]
    is_named = bool(found)
    if is_named:
        turn = found[-1][0]
        told_in = [turn.number]
    else:
        said = next((part.turn for part in job.parts if part.turn.number == observation.turn), None)
        found = [(turn, use) for turn, use in own if said is None or turn is said]
        turn = said or job.parts[-1].turn
        told_in = [turn.number] if said else [part.turn.number for part in job.parts]
    uses = [use for _, use in found]
    return outcomes.ObservationFields(
        prompt_number=turn.number,
        type=observation.type,
        title=observation.title,
        subtitle=observation.subtitle,
        narrative=observation.narrative,
        facts=observation.facts,
        concepts=observation.concepts,
        files_read=_unique(path for use in uses for path in use.files_read),
        files_modified=_unique(path for use in uses if not use.is_error for path in use.files_modified),
        tool_use_ids=tuple(use.tool_use_id for use in uses),
        at=max((use.at for use in uses), default=turn.last_at),
        basis=Basis.NAMED if is_named else Basis.TURN,
        origin=job.provenance.of_observation((use.tool_use_id for use in uses if is_named), told_in),
    )


def _unique(paths: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(paths))


def _plural(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
