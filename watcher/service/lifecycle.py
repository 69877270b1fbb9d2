"""Owns a session's life: lowering the flags that hooks raise, and ending what no flag ever ends.

A Stop flag means that a turn is over, a SessionEnd flag that the session is. Where no hook runs, or Claude Code was
killed, the transcript's own turn ends, a long silence, or the end of its process say the same.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from watcher.memory import records, sessions, turns
from watcher.memory.changes import Changes
from watcher.memory.database import Database, DatabaseError
from watcher.memory.models import FlagKind, SessionStatus
from watcher.memory.sessions import RaisedFlag, Session
from watcher.service.claims import Claims
from watcher.service.digest import Digest
from watcher.service.events import Clock, Event, EventKind, Listener, Pace, now
from watcher.service.follow import subagents_of
from watcher.service.ingest import Ingest, source_of
from watcher.service.projects import Projects
from watcher.settings import WatchSettings

AHEAD = 60_000  # milliseconds that a time may lie ahead of the clock, before the clock must have been set back
ENDS_AT_ONCE = 50  # sessions ended in a row, before something else has its turn


class Lifecycle:
    """Finalizes turns and ends sessions."""

    def __init__(
        self,
        database: Database,
        ingest: Ingest,
        digest: Digest,
        settings: WatchSettings,
        *,
        slice_size: int = sys.maxsize,
        listener: Listener = lambda _event: None,
        clock: Clock = now,
        pace: Pace = time.monotonic,
        changes: Changes | None = None,
    ) -> None:
        """`slice_size`: bytes of a transcript that are taken in before something else has its turn.

        `changes` tells when what is asked again and again is to be asked again; without, it always is.
        """
        self._database = database
        self._ingest = ingest
        self._digest = digest
        self._settings = settings
        self._slice_size = slice_size
        self._listener = listener
        self._clock = clock
        self._pace = pace
        self._claims = Claims(pace)
        self._projects = Projects(database, clock=clock)
        self._changes = changes
        self._quiet: tuple[object, list[str]] | None = None  # see `_with_quiet_turns`
        self._waiting_since: dict[int, float] = {}  # pace, by the id of the flag: when it was first seen
        self.unreadable: dict[Path, str] = {}  # transcripts that cannot be read now, and why

    def handle_flags(self) -> int:
        """Lower every raised flag that can be; return how many sessions' must wait for more of their transcript."""
        with self._database.read() as connection:
            flags = sessions.raised_flags(connection)
        if any(flag.has_text for flag in flags):
            with self._database.write() as connection:
                sessions.reduce_events(connection)
        ending = {flag.session_id for flag in flags if flag.kind is FlagKind.CLEANUP}
        waiting: set[str] = set()
        for flag in flags:
            if self._is_left_out(flag):
                with self._database.write() as connection:
                    sessions.drop_flag(connection, flag.id)
                    sessions.drop_if_empty(connection, flag.session_id)
                continue
            if flag.kind is FlagKind.PLACE:
                self._try_to_lower(flag)
                continue
            self._waiting_since.setdefault(flag.id, self._pace())
            # Flags of one session are lowered in order, so that its end never overtakes its last turn.
            if flag.session_id in waiting:
                continue
            transcript = self._transcript(flag)
            has_more = transcript is not None and self.follow(transcript)
            self._bring_back(flag)
            if has_more or (flag.session_id not in ending and not self._is_complete(flag)):
                waiting.add(flag.session_id)
                continue
            self._try_to_lower(flag)
        return len(waiting)

    def follow(self, transcript: Path) -> bool:
        """Take in what is new of a session, its subagents' transcripts included; say whether there is more."""
        taken = [self.take_in(path) for path in (transcript, *subagents_of(transcript))]
        return any(one is not None and one.has_more for one in taken)

    def take_in(self, path: Path, *, anew: bool = False) -> records.Taken | None:
        """Take in what is new of one transcript; None where it cannot be read now, which is told once.

        `anew`: all of it at once, from its start.
        """
        try:
            most = sys.maxsize if anew else self._slice_size
            taken = self._ingest.take_in(path, most=most, anew=anew)
        except FileNotFoundError:
            self.unreadable.pop(path, None)
            return None  # A session has no transcript before its first prompt.
        except OSError as error:
            self._note_unreadable(path, error.strerror or repr(error))
            return None
        except DatabaseError:
            raise
        except Exception as error:  # noqa: BLE001 - one transcript that nobody foresaw must not keep all others out
            self._note_unreadable(path, f"defect of claude-mem: {error!r}")
            return None
        if self.unreadable.pop(path, None) is not None:
            self._tell(EventKind.MENDED, path.stem, f"{path} can be read again")
        return taken

    def _note_unreadable(self, path: Path, why: str) -> None:
        if self.unreadable.get(path) != why:
            self.unreadable[path] = why
            self._tell(EventKind.TROUBLE, path.stem, f"cannot read {path}: {why}")

    def finalize(self, session_id: str) -> None:
        """Summarise the turns that the transcript itself says are over."""
        with self._database.read() as connection:
            if not any(turn.lacks_summary for turn in turns.turns(connection, session_id)):
                return
        with self._database.write() as connection:
            stored = self._digest.summarise(connection, session_id)
        self._tell_finalized(session_id, stored)

    def recover(self) -> None:
        """Summarise what a watcher had taken in, and died before it could summarise."""
        with self._database.read() as connection:
            found = [session.session_id for session in sessions.active(connection)]
            found += turns.sessions_without_last_summary(connection)
        for session_id in found:
            self.finalize(session_id)

    def end_quiet(self, active: Sequence[Session] | None = None) -> None:
        """End the turns and sessions of which nothing was heard for too long, or whose process is gone.

        `active`: those that are, as they are now, where that is known.
        """
        moment = self._clock()
        if active is None:
            with self._database.read() as connection:
                active = sessions.active(connection)
        if ahead := [session for session in active if session.is_ahead_of(moment + AHEAD)]:
            with self._database.write() as connection:
                for session in ahead:
                    sessions.bring_back(connection, session.session_id, now=moment, prompted_by=moment)
                    turns.bring_back(connection, session.session_id, to=moment)
            return  # the clock was set back; from now on their silence can be told again
        self._claims.look_again()
        quiet_for = round(self._settings.quiet_turn * 1000)
        quiet = []
        ended = 0
        for session in active:
            silence = moment - session.last_activity_at
            reason = sessions.PROCESS_GONE if self._claims.is_gone(session, silence) else ""
            if not reason and silence >= self._settings.idle_session * 1000:
                reason = sessions.IDLE
            if reason and ended < ENDS_AT_ONCE:
                ended += self._end_with_the_rest(session, moment, reason)
            elif not reason and silence >= quiet_for:
                quiet.append(session.session_id)
        for session_id in self._with_quiet_turns(quiet, moment - quiet_for, moment):
            self._end_quiet_turn(session_id, moment)

    def _end_with_the_rest(self, session: Session, at: int, reason: str, *, is_orphan: bool = False) -> bool:
        """End a session once all that its transcripts hold is taken in; say whether it has ended."""
        if session.transcript_path and self.follow(Path(session.transcript_path)):
            return False
        with self._database.read() as connection:
            known = sessions.session(connection, session.session_id)
        if known is not None and known.last_activity_at > session.last_activity_at:
            return False  # what was just read is news of it: judge it anew
        self.end(session.session_id, at=at, reason=reason, is_orphan=is_orphan)
        return True

    def end_orphans(self, max_age: float) -> list[Session]:
        """Give up the sessions of which nothing was heard for `max_age` seconds; what is known of them is kept."""
        moment = self._clock()
        with self._database.read() as connection:
            orphans = sessions.orphans(connection, moment - round(max_age * 1000))
        ended = []
        for session in orphans:
            silence = (moment - session.last_activity_at) // 3_600_000
            if self._end_with_the_rest(session, moment, f"{sessions.NO_ACTIVITY} for {silence} h", is_orphan=True):
                ended.append(session)
        return ended

    def _with_quiet_turns(self, quiet: list[str], since: int, at: int) -> list[str]:
        """Return those of the sessions that are quiet (since some time) whose last turn is to be ended."""
        if not quiet:
            return []
        seen = (self._changes.count(), quiet) if self._changes is not None else None
        if self._quiet is None or self._quiet[0] != seen or seen is None:
            with self._database.read() as connection:
                self._quiet = (seen, sessions.with_quiet_turns(connection, since, at))
        return [session_id for session_id in self._quiet[1] if session_id in quiet]

    def _end_quiet_turn(self, session_id: str, at: int) -> None:
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
            if known is not None:
                turns.end_last_turn(connection, session_id, at)  # also where the next prompt is already there
            if known is not None and known.last_prompt_at <= at:
                turns.close_open_tool_uses(connection, session_id)
                stored = self._digest.summarise(connection, session_id, is_ending=True)
                status = sessions.complete(connection, session_id, at=at, reason=reason, is_orphan=is_orphan)
            if flag is not None:
                outcome = str(status) if status else _not_ended(known)
                sessions.lower_flag(connection, flag.id, outcome=outcome, now=self._clock())
        self._tell_finalized(session_id, stored)
        if status is not None:
            self._tell(EventKind.COMPLETED, session_id, f"{status}: {reason}")

    def _bring_back(self, flag: RaisedFlag) -> None:
        """Where the clock was set back, let the prompts that seem to lie ahead be from before the flag, as they are."""
        moment = self._clock()
        with self._database.read() as connection:
            known = sessions.session(connection, flag.session_id)
        if known is None or known.status is not SessionStatus.ACTIVE or not known.is_ahead_of(moment):
            return
        to = min(flag.raised_at, moment)
        with self._database.write() as connection:
            sessions.bring_back(connection, flag.session_id, now=moment, prompted_by=to)
            turns.bring_back(connection, flag.session_id, to=to)

    def _is_left_out(self, flag: RaisedFlag) -> bool:
        """Say whether nothing is kept of a flag's session; the hook may know less of it."""
        admission = self._ingest.admission
        if admission.is_private(flag.folder):
            return True
        transcript = self._transcript(flag)
        try:
            return transcript is not None and admission.leaves_out(source_of(transcript))
        except OSError:  # told where it is taken in
            return False

    def _try_to_lower(self, flag: RaisedFlag) -> None:
        """Lower a flag; one on which this program fails is lowered all the same, and must not keep all others up."""
        try:
            self._lower(flag)
        except DatabaseError:
            raise
        except Exception as error:  # noqa: BLE001
            self._tell(EventKind.TROUBLE, flag.session_id, f"defect of claude-mem: flag {flag.id}: {error!r}")
            with self._database.write() as connection:
                sessions.lower_flag(connection, flag.id, outcome=f"defect: {error!r}", now=self._clock())
        self._waiting_since.pop(flag.id, None)

    def _lower(self, flag: RaisedFlag) -> None:
        if flag.kind is FlagKind.PLACE:
            project = self._projects.settle(flag.folder)
            with self._database.write() as connection:
                sessions.lower_flag(connection, flag.id, outcome=project, now=self._clock())
            return
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
        within a tenth of a second. The hook's event carries them, and its flag their digest.
        """
        if flag.kind is FlagKind.CLEANUP or not flag.closing_digest:
            return True
        said = self._ingest.last_words.under(flag.session_id, flag.raised_at, now=self._clock())
        if said == flag.closing_digest:
            return True
        # By two clocks: one may have been set back, the other knows nothing of the time before this watcher.
        waited = self._pace() - self._waiting_since[flag.id]
        return max(waited, (self._clock() - flag.raised_at) / 1000) >= self._settings.closing_wait

    def _transcript(self, flag: RaisedFlag) -> Path | None:
        """Return where the flag's session is written: as the hook says, else as is known."""
        if flag.transcript_path:
            return Path(flag.transcript_path)
        with self._database.read() as connection:
            known = sessions.session(connection, flag.session_id)
        return Path(known.transcript_path) if known and known.transcript_path else None

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
