"""Owns a session's life: lowering the flags that hooks raise, and ending what no flag ever ends.

A Stop flag means that a turn is over, a SessionEnd flag that the session is. Where no hook runs, or Claude Code was
killed, the transcript's own turn ends, a long silence, or the end of its process say the same.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import orjson

from watcher import system
from watcher.memory import records, sessions, turns
from watcher.memory.database import Database
from watcher.memory.models import FlagKind, SessionStatus
from watcher.memory.sessions import RaisedFlag, Session
from watcher.service.digest import Digest
from watcher.service.events import Clock, Event, EventKind, Listener, now
from watcher.service.follow import subagents_of
from watcher.service.ingest import Ingest, closing_words
from watcher.settings import WatchSettings

GONE_AFTER = 60_000  # milliseconds of silence before a session that no process claims counts as gone


@dataclass(frozen=True, slots=True)
class _Claim:
    """What a process says of itself in the file that lives as long as it."""

    pid: int
    started_at: int  # epoch
    updated_at: int  # epoch


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
        for path in subagents_of(transcript):
            self.take_in(path)

    def take_in(self, path: Path) -> records.Taken | None:
        """Take in what is new of one transcript; None where it cannot be read now, which is told and not raised."""
        try:
            return self._ingest.take_in(path)
        except FileNotFoundError:
            return None  # A session has no transcript before its first prompt.
        except OSError as error:
            self._tell(EventKind.TROUBLE, path.stem, f"cannot read {path}: {error.strerror}")
            return None

    def finalize(self, session_id: str) -> None:
        """Summarise the turns that the transcript itself says are over."""
        with self._database.write() as connection:
            stored = self._digest.summarise(connection, session_id)
        self._tell_finalized(session_id, stored)

    def recover(self) -> None:
        """Summarise what a watcher had taken in, and died before it could summarise."""
        with self._database.read() as connection:
            active = sessions.active(connection)
        for session in active:
            self.finalize(session.session_id)

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
                self._end_quiet_turn(session.session_id, moment)

    def end_orphans(self, max_age: float) -> list[Session]:
        """Give up the sessions of which nothing was heard for `max_age` seconds; what is known of them is kept."""
        moment = self._clock()
        with self._database.read() as connection:
            orphans = sessions.orphans(connection, moment - round(max_age * 1000))
        for session in orphans:
            if session.transcript_path:
                self.follow(Path(session.transcript_path))
            silence = (moment - session.last_activity_at) // 3_600_000
            self.end(session.session_id, at=moment, reason=f"no activity for {silence} h", is_orphan=True)
        return orphans

    def _end_quiet_turn(self, session_id: str, at: int) -> None:
        with self._database.read() as connection:
            is_running = turns.is_running(connection, session_id, at)
            # A long test run is silent too, and so is a question that waits for the user's answer.
            if not is_running or turns.has_open_tool_uses(connection, session_id):
                return
        with self._database.write() as connection:
            turns.end_last_turn(connection, session_id, at)
            stored = self._digest.summarise(connection, session_id)
        self._tell_finalized(session_id, stored)

    def end(
        self, session_id: str, *, at: int, reason: str, flag: RaisedFlag | None = None, is_orphan: bool = False
    ) -> None:
        """End a session: what was begun is kept, its last turn summarised, its flag lowered, all at once."""
        with self._database.write() as connection:
            known = sessions.session(connection, session_id)
            status = None
            stored = 0
            if known is not None and known.last_prompt_at <= at:
                turns.close_open_tool_uses(connection, session_id)
                turns.end_last_turn(connection, session_id, at)
                stored = self._digest.summarise(connection, session_id, is_ending=True)
                status = sessions.complete(connection, session_id, at=at, reason=reason, is_orphan=is_orphan)
            if flag is not None:
                outcome = str(status) if status else _not_ended(known)
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
            found = turns.closing_words(connection, flag.session_id, flag.raised_at)
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
        if any(system.process_is_alive(claim.pid, claim.started_at) for claim in claims):
            return False
        # What was left behind by an earlier process, killed long before the last line, says nothing of this one.
        if any(claim.updated_at + GONE_AFTER >= session.last_activity_at for claim in claims):
            return True
        return folder.is_dir() and silence >= GONE_AFTER

    def _tell_finalized(self, session_id: str, stored: int) -> None:
        if stored:
            text = "provisional summary and context are readable"
            self._tell(EventKind.FINALIZED, session_id, text)

    def _tell(self, kind: EventKind, session_id: str, text: str) -> None:
        self._listener(Event(kind, text, session_id))


def _not_ended(known: Session | None) -> str:
    if known is None:
        return "unknown session"
    return "goes on" if known.status is SessionStatus.ACTIVE else "was over already"


def _claims(folder: Path, session_id: str) -> list[_Claim]:
    """Return the processes that say they write a session."""
    claims = []
    for path in folder.glob("*.json"):
        try:
            said = orjson.loads(path.read_bytes())
        except (OSError, orjson.JSONDecodeError):
            continue  # It is being written, or just went; the next look tells.
        if isinstance(said, dict) and said.get("sessionId") == session_id and isinstance(said.get("pid"), int):
            started, updated = said.get("startedAt"), said.get("updatedAt")
            started_at = started if isinstance(started, int) else sys.maxsize
            claims.append(_Claim(said["pid"], started_at, updated if isinstance(updated, int) else started_at))
    return claims
