"""Owns a session's life: lowering the flags that hooks raise, and ending what no flag ever ends.

A Stop flag means that a turn is over, a SessionEnd flag that the session is. Where no hook runs, or Claude Code was
killed, the transcript's own turn ends, a long silence, or the end of its process say the same.
"""

from __future__ import annotations

import sys
from pathlib import Path

import orjson

from watcher import system
from watcher.memory import records, sessions, turns
from watcher.memory.database import Database
from watcher.memory.models import FlagKind
from watcher.memory.sessions import RaisedFlag, Session
from watcher.service.digest import Digest
from watcher.service.events import Clock, Event, EventKind, Listener, now
from watcher.service.ingest import Ingest, closing_words
from watcher.settings import WatchSettings

GONE_AFTER = 60_000  # milliseconds of silence before a session that no process claims counts as gone


class Lifecycle:
    """Finalizes turns and ends sessions."""

    def __init__(
        self,
        database: Database,
        ingest: Ingest,
        digest: Digest,
        settings: WatchSettings,
        *,
        listener: Listener = lambda _event: None,
        clock: Clock = now,
    ) -> None:
        self._database = database
        self._ingest = ingest
        self._digest = digest
        self._settings = settings
        self._listener = listener
        self._clock = clock

    def handle_flags(self) -> int:
        """Lower every raised flag that can be; return how many must wait for their transcript's last words."""
        with self._database.read() as connection:
            flags = sessions.raised_flags(connection)
        ending = {flag.session_id for flag in flags if flag.kind is FlagKind.CLEANUP}
        waiting: set[str] = set()
        for flag in flags:
            transcript = self._transcript(flag)
            if transcript is not None:
                self.follow(transcript)
            # Flags of one session are lowered in order, so that its end never overtakes its last turn.
            if flag.session_id in waiting:
                continue
            if flag.session_id not in ending and not self._is_complete(flag):
                waiting.add(flag.session_id)
                continue
            self._lower(flag)
        return len(waiting)

    def follow(self, transcript: Path) -> None:
        """Take in what is new of a session, its subagents' transcripts included."""
        self.take_in(transcript)
        for path in sorted(subagents_of(transcript).glob("**/*.jsonl")):
            self.take_in(path)

    def take_in(self, path: Path) -> records.Taken:
        """Take in what is new of one transcript; trouble with it is told, not raised."""
        try:
            return self._ingest.take_in(path)
        except FileNotFoundError:
            pass  # A session has no transcript before its first prompt.
        except OSError as error:
            self._tell(EventKind.TROUBLE, path.stem, f"cannot read {path}: {error.strerror}")
        return records.Taken()

    def finalize(self, session_id: str) -> None:
        """Summarise the turns that the transcript itself says are over."""
        with self._database.write() as connection:
            stored = self._digest.summarise(connection, session_id)
        self._tell_finalized(session_id, stored)

    def end_quiet(self) -> None:
        """End the turns and sessions of which nothing was heard for too long, or whose process is gone."""
        with self._database.read() as connection:
            active = sessions.active(connection)
        moment = self._clock()
        for session in active:
            silence = moment - session.last_activity_at
            if self._is_gone(session, silence):
                self.end(session.session_id, at=moment, reason="process gone")
            elif silence >= self._settings.idle_session * 1000:
                self.end(session.session_id, at=moment, reason="idle")
            elif silence >= self._settings.quiet_turn * 1000:
                with self._database.write() as connection:
                    turns.end_last_turn(connection, session.session_id, moment)
                    stored = self._digest.summarise(connection, session.session_id)
                self._tell_finalized(session.session_id, stored)

    def end(self, session_id: str, *, at: int, reason: str, flag: RaisedFlag | None = None) -> None:
        """End a session: what was begun is kept, its last turn summarised, its flag lowered, all at once."""
        with self._database.write() as connection:
            known = sessions.session(connection, session_id)
            status = None
            stored = 0
            if known is not None and known.last_prompt_at <= at:
                turns.close_open_tool_uses(connection, session_id)
                turns.end_last_turn(connection, session_id, at)
                stored = self._digest.summarise(connection, session_id)
                status = sessions.complete(connection, session_id, at=at, reason=reason)
            if flag is not None:
                outcome = str(status) if status else ("unknown session" if known is None else "goes on")
                sessions.lower_flag(connection, flag.id, outcome=outcome, now=self._clock())
        self._tell_finalized(session_id, stored)
        if status is not None:
            self._tell(EventKind.COMPLETED, session_id, f"{status}: {reason}")

    def _lower(self, flag: RaisedFlag) -> None:
        if flag.kind is FlagKind.CLEANUP:
            self.end(flag.session_id, at=flag.raised_at, reason=flag.reason or "SessionEnd", flag=flag)
            return
        with self._database.write() as connection:
            turns.end_last_turn(connection, flag.session_id, flag.raised_at)
            stored = self._digest.summarise(connection, flag.session_id)
            outcome = "summarised" if stored else "nothing new"
            sessions.lower_flag(connection, flag.id, outcome=outcome, now=self._clock())
        self._tell_finalized(flag.session_id, stored)

    def _is_complete(self, flag: RaisedFlag) -> bool:
        """Say whether the transcript holds what the assistant said last, or was given long enough to.

        At a Stop hook's start the last words were missing from the file in half of the runs watched; they came
        within a tenth of a second. The hook's event carries them.
        """
        if flag.kind is FlagKind.CLEANUP or not flag.closing_text:
            return True
        with self._database.read() as connection:
            found = turns.closing_words(connection, flag.session_id)
        if found == closing_words(flag.closing_text):
            return True
        return self._clock() - flag.raised_at >= self._settings.closing_wait * 1000

    def _transcript(self, flag: RaisedFlag) -> Path | None:
        """Return where the flag's session is written: as the hook says, else as is known."""
        if flag.transcript_path:
            return Path(flag.transcript_path)
        with self._database.read() as connection:
            known = sessions.session(connection, flag.session_id)
        return Path(known.transcript_path) if known and known.transcript_path else None

    def _is_gone(self, session: Session, silence: int) -> bool:
        """Say whether the process that wrote a session has ended.

        Claude Code keeps `<config>/sessions/<pid>.json` while it lives, in the terminal and in `-p`; a kill leaves
        the file behind with a pid that is nobody's, or somebody else's.
        """
        if not session.transcript_path:
            return False
        folder = Path(session.transcript_path).parent.parent.parent / "sessions"
        claims = _claims(folder, session.session_id)
        if claims:
            return not any(system.process_is_alive(pid, started_at) for pid, started_at in claims)
        return folder.is_dir() and silence >= GONE_AFTER

    def _tell_finalized(self, session_id: str, stored: int) -> None:
        if stored:
            text = "provisional summary and context are readable"
            self._tell(EventKind.FINALIZED, session_id, text)

    def _tell(self, kind: EventKind, session_id: str, text: str) -> None:
        self._listener(Event(kind, text, session_id))


def subagents_of(transcript: Path) -> Path:
    """Return the folder of a session's subagents' transcripts."""
    return transcript.with_suffix("") / "subagents"


def _claims(folder: Path, session_id: str) -> list[tuple[int, int]]:
    """Return the processes that say they write a session: pid, and the time (epoch) of their start."""
    claims = []
    for path in folder.glob("*.json"):
        try:
            said = orjson.loads(path.read_bytes())
        except (OSError, orjson.JSONDecodeError):
            continue  # It is being written, or just went; the next look tells.
        if isinstance(said, dict) and said.get("sessionId") == session_id and isinstance(said.get("pid"), int):
            started = said.get("startedAt")
            claims.append((said["pid"], started if isinstance(started, int) else sys.maxsize))
    return claims
