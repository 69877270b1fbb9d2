"""Owns taking over the memory of the TypeScript claude-mem: a session in one transaction, each thing in it once.

Where the session's transcript is still there, that was imported before, and says what was asked and done; what the
other memory's model had made of it takes the place of what was made without one, and never of what ours made.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace

from sqlalchemy import Connection

from watcher.agent import base
from watcher.agent.base import ObservationType
from watcher.agent.extractive import ExtractiveAgent
from watcher.memory import adopted, outcomes, retention, sessions, tombstones, turns
from watcher.memory.adopted import AGENT, AdoptedPrompt, AdoptedSession, Kept, StoredPrompt
from watcher.memory.database import Database
from watcher.memory.outcomes import ObservationFields
from watcher.memory.typescript import TheirObservation, TheirPrompt, TheirSession, TheirSummary, TypeScriptMemory
from watcher.privacy.excluded import Excluded
from watcher.privacy.passages import without_private
from watcher.service.digest import Digest
from watcher.service.events import Clock, now
from watcher.service.ingest import PROMPT_CHARS
from watcher.settings import Settings
from watcher.transcript import excerpts

SAME_PROMPT = 10_000  # milliseconds between the times at which two memories wrote down one prompt, at most
UNKNOWN_REQUEST = "(not kept)"
_EXTRACTIVE = ExtractiveAgent.name


@dataclass(slots=True)
class TakenOver:
    """What was taken over: what was new of it."""

    sessions: int = 0
    prompts: int = 0
    observations: int = 0
    summaries: int = 0
    forgotten: int = 0  # sessions from before what the memory keeps, or that the user had forgotten
    empty: int = 0  # sessions of which nothing was kept there
    excluded: int = 0  # sessions of projects that the settings exclude
    unmapped: dict[str, int] = field(default_factory=dict)  # sessions by project, where its folder is not known
    is_whole: bool = True  # nothing was left for the next time


class Folders:
    """Which folder a project of theirs is, of which they know the last part of the path alone."""

    def __init__(self, theirs: TypeScriptMemory, ours: Iterable[str]) -> None:
        """Take the folders of the projects that are known here."""
        self._of_session: dict[str, str] = {}
        self._by_name: dict[str, set[str]] = {}
        for session_id, project, cwd in theirs.folders():
            folder = _folder(cwd, project)
            if folder:
                self._of_session.setdefault(session_id, folder)
                self._by_name.setdefault(_last_part(folder), set()).add(folder)
        for folder in ours:
            if not _is_bare(folder):
                self._by_name.setdefault(_last_part(folder), set()).add(folder)

    def of(self, session: TheirSession) -> str:
        """Return the folder of a session's project; its bare name where none is known, or more than one."""
        if folder := self._of_session.get(session.session_id):
            return folder
        named = self._by_name.get(_last_part(session.project), set())
        return next(iter(named)) if len(named) == 1 else session.project


@dataclass(frozen=True, slots=True)
class Takeover:
    """Takes over sessions into a memory on which nobody else is at work."""

    settings: Settings
    database: Database
    progress: Callable[[int], None] = lambda _sessions: None  # told the sessions taken over since it was last told
    is_stopping: Callable[[], bool] = lambda: False
    beat: Callable[[], None] = lambda: None  # called every now and then
    clock: Clock = now

    def run(self, theirs: TypeScriptMemory) -> TakenOver:
        """Take over all that is there, and render what the next sessions of these projects will read."""
        result = TakenOver()
        digest = Digest(self.database, ExtractiveAgent(), self.settings, clock=self.clock)
        with self.database.read() as connection:
            horizon = retention.horizon(connection)
            folders = Folders(theirs, adopted.projects(connection))
            kept = adopted.kept(connection)
        excluded = Excluded(self.settings.privacy.exclude)
        seen: set[str] = set()  # projects
        for session in theirs.sessions():
            if self.is_stopping():
                result.is_whole = False
                break
            self.beat()
            if excluded.holds(folders.of(session)):
                result.excluded += 1
                self.progress(1)
                continue
            with self.database.read() as connection:
                stays = _not_forgotten(connection, session, folders.of(session))
            if session.last_at < horizon or (stays != session and not _has_any(stays)):
                result.forgotten += 1
            elif not _has_any(session):
                result.empty += 1
            else:
                folder = folders.of(session)
                if not _is_taken(stays, folder, kept.get(session.session_id)):
                    folder = self._take(stays, folder, result)
                if _is_bare(folder):
                    result.unmapped[folder] = result.unmapped.get(folder, 0) + 1
                seen |= {session.project, folder}
            self.progress(1)
        for project in seen:  # also where all was there: whoever was killed had not rendered them
            digest.render(project)
        return result

    def _take(self, session: TheirSession, folder: str, result: TakenOver) -> str:
        """Take over one session; return its project, as it is called here."""
        with self.database.write() as connection:
            session = _not_forgotten(connection, session, folder)  # by now: somebody may just have had more forgotten
            if not _has_any(session):
                return folder
            known = sessions.session(connection, session.session_id)
            is_bare = known is not None and known.project == session.project != folder
            if is_bare or (known is not None and not known.project):
                adopted.move(connection, session.session_id, folder)
            project = known.project if known and known.project and not is_bare else folder
            if known is None:
                adopted.put_session(connection, _session(session, project))
                result.sessions += 1
            stored = adopted.prompts(connection, session.session_id)
            given = _prompts(session)
            is_adopted = all(prompt.is_adopted for prompt in stored)
            if is_adopted:
                result.prompts += adopted.put_prompts(connection, session.session_id, given)
                stored = adopted.prompts(connection, session.session_id)
            numbers = _Numbers(given, stored)
            result.observations += _put_observations(connection, session, project, numbers)
            result.summaries += _put_summaries(connection, session, numbers, now=self.clock())
            if is_adopted:
                _put_own_summaries(connection, session.session_id, now=self.clock())
        return project


def _not_forgotten(connection: Connection, session: TheirSession, folder: str) -> TheirSession:
    """Return a session without what a user had forgotten of it; both memories may tell its time differently."""
    if not tombstones.count(connection):
        return session
    known = sessions.session(connection, session.session_id)
    places = (folder, session.project, known.project if known else "")
    forgotten = tombstones.of(connection, session.session_id, places)

    def stays(thing: TheirPrompt | TheirObservation | TheirSummary) -> bool:
        later = thing.at + SAME_PROMPT
        return not (forgotten.covers(thing.at) or forgotten.covers(later) or forgotten.goes_on(later))

    return replace(
        session,
        title="" if forgotten.has_no_title else session.title,
        prompts=tuple(filter(stays, session.prompts)),
        observations=tuple(filter(stays, session.observations)),
        summaries=tuple(filter(stays, session.summaries)),
    )


class _Numbers:
    """Under which of a session's prompts here a thing of theirs stands."""

    def __init__(self, given: Sequence[AdoptedPrompt], stored: Sequence[StoredPrompt]) -> None:
        self._given = given
        self._stored = sorted(stored, key=lambda prompt: (prompt.at, prompt.number))

    def is_private(self, number: int) -> bool:
        """Say whether nothing may be kept of what was done about a prompt."""
        return any(prompt.number == number and prompt.is_private for prompt in self._stored)

    def of(self, thing: TheirObservation | TheirSummary) -> int:
        """Return the number; 0 where no prompt is known.

        Both memories wrote down the prompt at about the same time, and may count differently.
        """
        named = [prompt.at for prompt in self._given if prompt.number == thing.number]
        asked_at = max((at for at in named if at <= thing.at), default=min(named, default=None))
        if asked_at is not None and self._stored:
            nearest = min(self._stored, key=lambda prompt: abs(prompt.at - asked_at))
            if abs(nearest.at - asked_at) <= SAME_PROMPT:
                return nearest.number
        before = [prompt.number for prompt in self._stored if prompt.at <= thing.at]
        return before[-1] if before else next((prompt.number for prompt in self._stored), 0)


def _session(session: TheirSession, project: str) -> AdoptedSession:
    is_private = any(without_private(one.text).had_private for one in session.prompts)  # what a title is made from
    return AdoptedSession(
        session_id=session.session_id,
        project=project,
        title="" if is_private else excerpts.excerpt(without_private(session.title).text, 200),
        started_at=session.started_at,
        last_at=session.last_at,
        completed_at=session.completed_at or session.last_at,
    )


def _prompts(session: TheirSession) -> list[AdoptedPrompt]:
    """Return a session's prompts; of a summary whose prompt was not kept, its request stands for that."""
    prompts = list(session.prompts)
    known = {prompt.number for prompt in prompts}
    for summary in session.summaries:
        if not prompts or (summary.number is not None and summary.number not in known):
            number = summary.number or 1
            prompts.append(TheirPrompt(number, summary.fields.request or UNKNOWN_REQUEST, summary.at))
            known.add(number)
    prompts.sort(key=lambda prompt: (prompt.at, prompt.number))
    return [_prompt(one) for one in prompts]


def _prompt(theirs: TheirPrompt) -> AdoptedPrompt:
    public = without_private(theirs.text)
    text = excerpts.excerpt(public.text, PROMPT_CHARS)
    return AdoptedPrompt(theirs.number, text, theirs.at, is_private=public.is_wholly_private)


def _put_observations(connection: Connection, session: TheirSession, project: str, numbers: _Numbers) -> int:
    """Store what they observed, unless our model observed something of the same turn; return how many were new."""
    by = adopted.observers(connection, session.session_id)
    found = [_observation(one, numbers.of(one)) for one in session.observations]
    fields = [one for one in found if not numbers.is_private(one.prompt_number)]
    # Each turn's words are one agent's.
    wanted = [one for one in fields if by.get(one.prompt_number, set()) <= {_EXTRACTIVE, AGENT}]
    replaced = sorted({one.prompt_number for one in wanted})
    adopted.drop_observations(connection, session.session_id, replaced, by=_EXTRACTIVE)
    return outcomes.put_observations(connection, session.session_id, project, wanted, agent=AGENT)


def _observation(theirs: TheirObservation, number: int) -> ObservationFields:
    return ObservationFields(
        prompt_number=number,
        type=theirs.type if theirs.type in set(ObservationType) else ObservationType.DISCOVERY,
        title=theirs.title,
        subtitle=theirs.subtitle,
        narrative=theirs.narrative,
        facts=theirs.facts,
        concepts=theirs.concepts,
        files_read=theirs.files_read,
        files_modified=theirs.files_modified,
        tool_use_ids=(),
        at=theirs.at,
    )


def _put_summaries(connection: Connection, session: TheirSession, numbers: _Numbers, *, now: int) -> int:
    """Store their summaries where there is none but one made without a model; return how many were new.

    Of several of one turn the last one counts, as there.
    """
    by = adopted.summarisers(connection, session.session_id)
    found = turns.turns(connection, session.session_id)
    chosen: dict[int, TheirSummary] = {}
    for summary in sorted(session.summaries, key=lambda one: one.at):
        number = numbers.of(summary)
        turn = next((turn for turn in found if turn.first_number <= number <= turn.number), None)
        if turn is not None and by.get(turn.number, _EXTRACTIVE) in (_EXTRACTIVE, AGENT):
            chosen[turn.number] = summary
    for turn in found:
        if turn.number in chosen:
            summary = chosen[turn.number]
            at = replace(turn, last_at=max(turn.last_at, summary.at))
            outcomes.put_agent_summary(connection, at, summary.fields, agent=AGENT, now=now)
    return sum(by.get(number) != AGENT for number in chosen)


def _put_own_summaries(connection: Connection, session_id: str, *, now: int) -> None:
    """Summarise the turns of which they had no summary, without a model: nobody is to ask one about them."""
    agent = ExtractiveAgent()
    for turn in turns.turns(connection, session_id):
        if turn.summary_source is None:
            summary = agent.summary(base.Turn(turn.number, turn.prompts, tool_uses=()), turn.project)
            fields = outcomes.SummaryFields(**asdict(summary))
            outcomes.put_agent_summary(connection, turn, fields, agent=agent.name, now=now)


def _folder(cwd: str, project: str) -> str:
    """Return the folder of a project in which, or below which, a tool was used; that one where none is so called."""
    name = _last_part(project)
    parts = re.split(r"([\\/])", cwd.rstrip("\\/"))
    while parts and parts[-1] != name:
        parts = parts[:-2]
    return "".join(parts) or cwd.rstrip("\\/")


def _is_taken(session: TheirSession, folder: str, kept: Kept | None) -> bool:
    """Say at a glance that a session was taken over whole; of one that it says no of, it may have been."""
    if kept is None or kept.project != folder or kept.prompts < len(session.prompts):
        return False
    seen = {(one.type, one.title, one.narrative, one.facts, one.files_modified) for one in session.observations}
    turns = {one.number for one in session.summaries}
    return kept.observations >= len(seen) and kept.summaries >= len(turns)


def _has_any(session: TheirSession) -> bool:
    return bool(session.prompts or session.observations or session.summaries)


def _is_bare(project: str) -> bool:
    return _last_part(project) == project


def _last_part(path: str) -> str:
    return re.split(r"[\\/]", path.rstrip("\\/"))[-1]
