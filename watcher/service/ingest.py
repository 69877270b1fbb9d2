"""Owns taking a transcript in: what is new in the file, decoded, then one transaction with its checkpoint.

Works without any agent, and touches nothing but the file and the database. Lines are decoded before the write lock
is taken, so that a hook never waits for it.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from watcher.memory import checkpoints, intake, records, sessions
from watcher.memory.database import Database
from watcher.privacy import hook_events, passages
from watcher.privacy.ignored import Ignored
from watcher.privacy.redaction import redact
from watcher.service.admission import Admission
from watcher.service.events import Clock, Event, EventKind, Listener, now
from watcher.service.follow import beginning
from watcher.service.history import begun_at
from watcher.service.last_words import LastWords, Said
from watcher.service.noise import Noise
from watcher.service.projects import Projects
from watcher.settings import CaptureSettings, PrivacySettings
from watcher.transcript import entries, excerpts, long_lines, tail

CLOSING_CHARS = 8000  # kept of the assistant's last words in a turn
PROMPT_CHARS = 8000  # kept of a prompt
# What is kept of a line that is no entry: ids and the like, as far as it begins with them, and nothing that was said.
_IDS = re.compile(
    rb'\{(?:\s*"(?:agentId|isMeta|isSidechain|parentUuid|promptId|sessionId|timestamp|type|uuid)":'
    rb'\s*(?:null|true|false|"[\w:.-]{0,40}"),?)*'
)


class _Place(NamedTuple):
    """Where an entry was written."""

    project: str  # the folder that it is at
    cwd: str


@dataclass(slots=True)
class _Decoded:
    """What one chunk of lines holds."""

    records: list[records.Record] = field(default_factory=list)
    broken: list[checkpoints.BrokenRecord] = field(default_factory=list)
    said: list[entries.AssistantText | entries.Prompt] = field(default_factory=list)  # of words in a row the last
    cwd: str = ""
    skipped: int = 0


def source_of(path: Path) -> records.Source:
    """Return whose transcript a file is: the name says it, as lines may carry the id of the session before.

    `<session>.jsonl` is a session's own, `<session>/subagents/**/agent-<id>.jsonl` one of its subagents'.
    """
    if path.name.startswith("agent-"):
        for folder in path.parents:
            if folder.name == "subagents":
                session = folder.parent
                return records.Source(
                    path=str(path),
                    session_id=session.name,
                    agent_id=path.stem.removeprefix("agent-"),
                    transcript_path=str(session.with_name(session.name + ".jsonl")),
                )
    return records.Source(path=str(path), session_id=path.stem, transcript_path=str(path))


def kept_of_broken(line: bytes) -> bytes:
    """Return what is kept of a line that is no entry: enough to tell what it was to be, and where it belongs."""
    found = _IDS.match(line.lstrip(b"\0"))
    return redact(found[0].decode("ascii")).encode() if found else b""


def closing_words(text: str) -> str:
    """Return the assistant's last words as they are stored."""
    return excerpts.excerpt(text.strip(), CLOSING_CHARS)


class Ingest:
    """Takes transcripts in."""

    def __init__(
        self,
        database: Database,
        capture: CaptureSettings,
        privacy: PrivacySettings | None = None,
        *,
        since: int = 0,
        horizon: int = 0,
        listener: Listener = lambda _event: None,
        clock: Clock = now,
    ) -> None:
        """Of a transcript that was never taken in, entries written before `since` (epoch) are left alone.

        Of all of them, those from before the `horizon`: they were forgotten. What is private by default is, unless
        `privacy` says something else.

        Raises:
            UsageError: a pattern in the settings is none.
        """
        privacy = privacy or PrivacySettings()
        home = database.path.parent.parent
        self._database = database
        self._capture = capture
        self._since = since
        self.horizon = horizon  # rises when what is older is forgotten
        self._noise = Noise(capture, memory=home)
        self.heed(privacy)
        self._listener = listener
        self._clock = clock
        self._projects = Projects(database, clock=clock)
        self._begun: dict[str, int] = {}  # epoch, when the subagent of a transcript began, by its path
        self._placed: dict[str, str] = {}  # the projects of sessions whose folder is known, by session
        self.last_words = LastWords()  # of the sessions that were taken in here

    def heed(self, privacy: PrivacySettings) -> None:
        """Go by these settings from now on.

        Raises:
            UsageError: a pattern in them is none; nothing has changed.
        """
        ignored = Ignored(privacy.ignore)
        self.admission = Admission(privacy, memory=self._database.path.parent.parent)
        self._ignored = ignored

    def take_in(self, path: Path, *, most: int = sys.maxsize, anew: bool = False) -> records.Taken:
        """Take in what is new in a transcript, some `most` bytes of it; return what of it was new to the memory.

        `anew`: from its start, whatever was taken in, or left alone, before; `checkpoints.cover` is to follow.

        Raises:
            OSError: the file cannot be read.
        """
        source = source_of(path)
        if self.admission.leaves_out(source):
            self._forget_row(source.session_id)
            return records.Taken()
        total = records.Taken(has_more=True)
        if source.agent_id:
            # Its work belongs to the prompt that the session had been given last, and that may be private.
            with suppress(FileNotFoundError):
                total = self.take_in(Path(source.transcript_path), most=most)
                if total.has_more:
                    return total
            source = replace(source, begun_at=self._begun_at(path))
            total.has_more = True
        with self._database.read() as connection:
            known = checkpoints.checkpoint(connection, source.path)
        position, since = tail.START, self._since
        if known is not None and not anew:
            # Whoever goes on where another stopped leaves alone what that did: what it took in was begun whole.
            position, since = tail.Position(*astuple(known[0])), known[1]
        # What is read anew is not whole before its prompts are numbered anew, too: who does that says so.
        covered = known[1] if known is not None and anew else since
        read = 0
        while total.has_more and read < most:
            chunk = tail.read(path, position, skip=entries.is_useless)
            if self.admission.leaves_out(source, chunk.lines):
                return total  # the first lines did not say where it runs, and these do
            if chunk.restarted:
                self._tell(EventKind.RESTARTED, source, f"{path.name} was truncated or replaced")
            if chunk.position != position or chunk.restarted:
                total += self._store(source, chunk, since, covered, is_anew=anew)
            read += chunk.position.offset - (0 if chunk.restarted else position.offset)
            position = chunk.position
            total.has_more = chunk.more
        if total:
            self._tell(EventKind.TAKEN_IN, source, _counted(total))
        return total

    def _forget_row(self, session_id: str) -> None:
        """Take away what a hook has written down of a session that is left out: it may know less than we do."""
        with self._database.read() as connection:
            known = sessions.session(connection, session_id)
        if known is not None:
            with self._database.write() as connection:
                sessions.drop_if_empty(connection, session_id)

    def _begun_at(self, path: Path) -> int:
        if not self._begun.get(str(path)):
            self._begun[str(path)] = begun_at(path)
        return self._begun[str(path)]

    def _store(
        self, source: records.Source, chunk: tail.Chunk, since: int, covered: int, *, is_anew: bool
    ) -> records.Taken:
        decoded = self._decode(chunk, max(since, self.horizon), self._placed.get(source.session_id, ""))
        project = self._project_of(source.session_id, decoded.cwd)
        moment = self._clock()
        with self._database.write() as connection:
            started = source.started_in(decoded.cwd, project)
            taken = intake.take_in(connection, started, decoded.records, now=moment, is_anew=is_anew)
            checkpoints.keep_broken(connection, started, decoded.broken, now=moment)
            checkpoints.save_checkpoint(
                connection,
                source,
                checkpoints.Progress(*astuple(chunk.position)),
                since=covered,
                lines_taken=len(chunk.lines) + chunk.skipped - decoded.skipped - len(decoded.broken),
                lines_skipped=decoded.skipped,
                now=moment,
            )
        if decoded.said and not source.agent_id:
            self.last_words.note(source.session_id, map(_said, decoded.said))
        for line in decoded.broken:
            self._tell(EventKind.BROKEN, source, f"{source.path} at byte {line.offset}: {line.reason}")
        return taken

    def _project_of(self, session_id: str, cwd: str) -> str:
        """Return the project of a session, found out once; empty where no line has said yet where it runs.

        It began where its hook says, else where its first lines do; the others may have followed a `cd`.
        """
        if session_id not in self._placed:
            with self._database.read() as connection:
                known = sessions.session(connection, session_id)
            if folder := (known.project if known else "") or cwd:
                self._placed[session_id] = self._projects.settle(folder)
        return self._placed.get(session_id, "")

    def _decode(self, chunk: tail.Chunk, since: int, project: str) -> _Decoded:
        decoded = _Decoded(skipped=chunk.skipped)
        since = beginning(since, self._clock())
        # One kind of work at a time: in turn, each would find the processor's caches full of the other's.
        understood = [(line, _understood(line)) for line in chunk.lines]
        passing = _passing_words(meaning for _, meaning in understood if not isinstance(meaning, str))
        for line, meaning in understood:
            if isinstance(meaning, str):
                decoded.broken.append(_broken(line, meaning))
                continue
            try:
                found = [
                    records.WordsRecord(entry.at, None)
                    if id(entry) in passing
                    else self._record(_whole(entry, line), _Place(project or decoded.cwd or meaning.cwd, meaning.cwd))
                    for entry in meaning.entries
                    if (entry.at >= since or isinstance(entry, entries.Title))
                    and not isinstance(entry, entries.Compaction)  # what it sums up was taken in before it
                ]
            except Exception as error:  # noqa: BLE001 - one line that nobody foresaw must not keep all others out
                decoded.broken.append(_broken(line, _defect(error)))
                continue
            decoded.cwd = decoded.cwd or meaning.cwd
            decoded.records += found
            decoded.said += (
                entry
                for entry in meaning.entries
                if isinstance(entry, entries.AssistantText | entries.Prompt) and id(entry) not in passing
            )
            decoded.skipped += not found
        return decoded

    def _record(self, entry: entries.Entry, place: _Place) -> records.Record:
        """Return what is stored of an entry, that was written at some place."""
        limit = self._capture.excerpt_chars
        match entry:
            case entries.ToolUse() if self._ignored.names_one(entry.name, entry.input, place.project, place.cwd):
                return records.ToolUseRecord(entry.at, entry.tool_use_id, entry.name, "", (), (), is_skipped=True)
            case entries.ToolUse():
                is_noise = self._noise.is_noise(entry.name, entry.input)
                return records.ToolUseRecord(
                    at=entry.at,
                    tool_use_id=entry.tool_use_id,
                    name=entry.name,
                    input="" if is_noise else excerpts.input_excerpt(entry.input, limit),
                    files_read=excerpts.files_read(entry.name, entry.input),
                    files_modified=excerpts.files_modified(entry.name, entry.input),
                    is_skipped=is_noise,
                )
            case entries.ToolResult():
                output = excerpts.excerpt(passages.without_private_refusal(entry.text), limit)
                return records.ToolResultRecord(entry.at, entry.tool_use_id, output, entry.is_error)
            case entries.AssistantText():
                return records.WordsRecord(entry.at, closing_words(entry.text))
            case entries.Prompt():
                return self._prompt(entry)
            case entries.TurnEnd():
                return records.TurnEndRecord(entry.at)
            case entries.Title():
                return records.TitleRecord(entry.at, excerpts.excerpt(entry.text, 200))
            case _:
                raise TypeError(f"no record for {entry!r}")

    def _prompt(self, entry: entries.Prompt) -> records.PromptRecord:
        """Return what is stored of a prompt: what is private is taken out before anything is cut."""
        public = passages.without_private(entry.text)
        return records.PromptRecord(
            at=entry.at,
            uuid=entry.uuid,
            text=excerpts.excerpt(public.text, PROMPT_CHARS),
            continues_turn=entry.is_queued,
            is_private=public.is_wholly_private,
            had_private=public.had_private,
        )

    def _tell(self, kind: EventKind, source: records.Source, text: str) -> None:
        self._listener(Event(kind, text, source.session_id))


def _said(entry: entries.AssistantText | entries.Prompt) -> Said:
    return Said(entry.at, hook_events.digest(entry.text) if isinstance(entry, entries.AssistantText) else "")


def _whole(entry: entries.Entry, line: tail.Line) -> entries.Entry:
    """Return an entry; of a prompt that had to be shortened, what is before that: a passage may have begun in it."""
    if isinstance(entry, entries.Prompt) and line.length > tail.LONGEST:
        return entry._replace(text=long_lines.beginning(entry.text))
    return entry


def _passing_words(meanings: Iterable[entries.Meaning]) -> set[int]:
    """Return which words (ids) others follow before the next prompt: of those nothing is kept."""
    passing, last = set(), 0
    for meaning in meanings:
        for entry in meaning.entries:
            if isinstance(entry, entries.Prompt):
                last = 0
            elif isinstance(entry, entries.AssistantText):
                passing.add(last)
                last = id(entry)
    return passing


def _understood(line: tail.Line) -> entries.Meaning | str:
    """Return what a line holds, or why nobody knows."""
    try:
        return entries.understand(line.data)
    except entries.BrokenLineError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - as there
        return _defect(error)


def _defect(error: Exception) -> str:
    return f"defect of claude-mem: {error!r}"


def _broken(line: tail.Line, reason: str) -> checkpoints.BrokenRecord:
    return checkpoints.BrokenRecord(
        offset=line.offset,
        length=line.length,
        line_hash=hashlib.blake2b(line.data, digest_size=16).hexdigest(),
        head=kept_of_broken(line.data),
        reason=redact(reason)[:200],
    )


def _counted(taken: records.Taken) -> str:
    parts = [
        (taken.prompts, "prompt", "prompts"),
        (taken.tool_uses, "tool use", "tool uses"),
        (taken.results, "result", "results"),
        (taken.turn_ends, "turn end", "turn ends"),
    ]
    return ", ".join(f"{n} {one if n == 1 else many}" for n, one, many in parts if n)
