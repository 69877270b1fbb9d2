"""Owns playing recorded sessions through the same tail, ingest, digest and store that `watch` uses.

At once, or at the recorded pace times a factor: then the transcripts are written out again, line by line, and a real
watcher follows them, living in the recorded time.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from watcher.agent import base
from watcher.memory import sessions
from watcher.memory.database import Database
from watcher.memory.models import FlagKind
from watcher.service.digest import Digest, Outcome
from watcher.service.events import Clock, Listener, now
from watcher.service.ingest import Ingest
from watcher.service.lifecycle import Lifecycle
from watcher.service.recording import RecordedFlag, RecordedLine, Recording
from watcher.service.watch import Watch
from watcher.settings import Settings

Progress = Callable[[int], None]  # told the bytes played since it was last told
ANSWER_WAIT = 600.0  # seconds, for the agent to answer what is left at the end of a paced replay


@dataclass(frozen=True, slots=True)
class Replay:
    """Plays recordings into a memory."""

    settings: Settings
    database: Database
    agent: base.Agent
    listener: Listener = lambda _event: None
    progress: Progress = lambda _bytes: None

    def at_once(self, recordings: Iterable[Recording]) -> bool:
        """Play each recording from beginning to end; say whether the agent answered all it was asked."""
        ingest = Ingest(self.database, self.settings.capture, self.settings.privacy, listener=self.listener)
        digest = Digest(self.database, self.agent, self.settings, listener=self.listener)
        life = Lifecycle(self.database, ingest, digest, self.settings.watch, listener=self.listener)
        answered = True
        for recording in recordings:
            life.follow(recording.path)
            life.finalize(recording.session_id)
            self._raise(_flags(recording))
            life.handle_flags()
            outcome = Outcome.DONE
            while outcome is Outcome.DONE:
                outcome = digest.ask_agent(recording.session_id)
            answered &= outcome not in (Outcome.FAILED, Outcome.PUT_OFF)
            self.progress(recording.size)
        return answered

    def at_pace(self, recordings: list[Recording], speed: float) -> bool:
        """Write the recordings out at their pace times `speed` beside a running watcher."""
        with tempfile.TemporaryDirectory(prefix="claude-mem-replay-") as folder:
            claude_dir = Path(folder)
            copies = {recording: _copy_of(recording, claude_dir) for recording in recordings}
            steps: list[RecordedLine | RecordedFlag] = []
            for recording, copy in copies.items():
                steps += (
                    replace(line, path=copy / line.path.relative_to(recording.path.parent))
                    for line in recording.lines()
                )
                steps += (flag.moved(copy / recording.path.name) for flag in _flags(recording))
            steps.sort(key=lambda step: step.at)
            clock = _clock(steps[0].at if steps else 0, speed)
            settings = replace(self.settings, claude_dir=claude_dir)
            watch = Watch(settings, self.database, self.agent, since=0, listener=self.listener, clock=clock)
            with watch:
                runner = threading.Thread(target=watch.run, name="watch")
                runner.start()
                try:
                    self._play(steps, clock, speed)
                    return self._await_answers(watch)
                finally:
                    watch.stop("replayed")
                    runner.join()

    def _play(self, steps: list[RecordedLine | RecordedFlag], clock: Clock, speed: float) -> None:
        for step in steps:
            time.sleep(max(0.0, (step.at - clock()) / 1000 / speed))
            if isinstance(step, RecordedFlag):
                self._raise([step])
            else:
                step.path.parent.mkdir(parents=True, exist_ok=True)
                with step.path.open("ab") as file:
                    file.write(step.data)
                self.progress(len(step.data))

    def _raise(self, flags: Iterable[RecordedFlag]) -> None:
        with self.database.write() as connection:
            for flag in flags:
                sessions.raise_flag(connection, flag.session_id, flag.kind, flag.event, flag.at)

    def _await_answers(self, watch: Watch) -> bool:
        deadline = time.monotonic() + ANSWER_WAIT
        while time.monotonic() < deadline:
            if watch.is_done():
                return True
            time.sleep(0.05)
        return False


def _flags(recording: Recording) -> list[RecordedFlag]:
    """Return a recording's flags; it ends with a cleanup, for its session will not go on."""
    flags = list(recording.flags)
    ended_at = max((flag.at for flag in flags if flag.kind is FlagKind.CLEANUP), default=0)
    if recording.ended_at > ended_at:
        flags.append(RecordedFlag.end(recording.path, max([recording.ended_at, *(flag.at for flag in flags)])))
    return flags


def _copy_of(recording: Recording, claude_dir: Path) -> Path:
    """Return the folder that a recording is written out to."""
    folder = claude_dir / "projects" / recording.path.parent.name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _clock(start: int, speed: float) -> Clock:
    """Return a clock that starts at a recorded time and runs `speed` times as fast."""
    begun = now()
    return lambda: start + round((now() - begun) * speed)
