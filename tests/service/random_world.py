"""Owns the world of the random test: transcripts, hooks, a clock that jumps, and a watcher that dies."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event

from tests.service.random_model import Model, Transcript
from tests.service.recorder import ScriptedAgent
from tests.transcript import lines
from watcher import resources, settings
from watcher.agent import base
from watcher.memory import checkpoints, records
from watcher.memory.database import Database
from watcher.memory.models import FlagKind
from watcher.service.batches import BACKGROUND_QUIET
from watcher.service.digest import Digest, Outcome
from watcher.service.follow import Rescan
from watcher.service.ingest import Ingest, source_of
from watcher.service.lifecycle import Lifecycle
from watcher.service.watch import ORPHANS_INTERVAL

SESSIONS = ("11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222")
DAY = 86_400.0  # seconds
STRANGER = "99999999-9999-4999-8999-999999999999"  # a session that nobody ever writes


class Killed(BaseException):
    """The watcher's process is no more."""


class Fuse:
    """Kills the watcher at one of its statements or commits: what is not committed then is gone, as with SIGKILL."""

    def __init__(self) -> None:
        self.left: int | None = None  # statements and commits that it still makes
        self.writes_left: int | None = None  # or transactions that it still writes

    def attach(self, database: Database) -> None:
        event.listen(database._engine, "before_cursor_execute", self._burn)
        event.listen(database._engine, "commit", self._commit)

    def put_out(self) -> None:
        self.left = self.writes_left = None

    def _commit(self, connection: Connection) -> None:
        self._burn()
        if self.writes_left is not None and connection.get_execution_options().get("writes"):
            self.writes_left -= 1
            self._check(self.writes_left)

    def _burn(self, *_: object) -> None:
        if self.left is not None:
            self.left -= 1
            self._check(self.left)

    def _check(self, left: int) -> None:
        if left < 0:
            self.put_out()
            raise Killed


class Agent(ScriptedAgent):
    """Words the same thing anew each time it is asked, so that nothing stored twice can hide."""

    def digest(self, batch: base.Batch) -> base.Reply:
        reply = super().digest(batch)
        worded = (
            base.Observation(
                base.ObservationType.CHANGE, f"{one.title}, asked {len(self.asked)}", tool_use_ids=one.tool_use_ids
            )
            for one in reply.observations
        )
        return base.Reply(tuple(worded), reply.summaries, reply.usage)


class Noted(Lifecycle):
    """Tells the model which files were read, whoever had them read."""

    world: World

    def take_in(self, path: Path) -> records.Taken | None:
        taken = super().take_in(path)
        assert not self.unreadable
        if taken is not None:
            self.world.note_read(path)
        return taken


class World:
    """Two sessions of a user, their hooks, and the watcher."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        home = Path(self.folder.name)
        self.settings = settings.load(
            {"CLAUDE_MEM_HOME": str(home / "memory"), "CLAUDE_CONFIG_DIR": str(home / "claude")}
        )
        project = self.settings.projects / "-home-dev-api"
        project.mkdir(parents=True)
        self.main = [Transcript(project / f"{session}.jsonl") for session in SESSIONS]
        self.sides = [Transcript(project / session / "subagents" / "agent-a1.jsonl") for session in SESSIONS]
        self.model = Model()
        self.agent = Agent()
        self.lowered: set[int] = set()  # flags whose lowering was checked
        self.has_gone_on = False  # while the agent thought, since that was checked last
        self.fuse = Fuse()
        self.now = lines.BEGIN
        self.pace = 0.0
        self.count = 0
        self.settings.database.parent.mkdir(parents=True)
        self.settings.database.write_bytes(_empty_database())
        self.client = sqlite3.connect(self.settings.database, isolation_level=None)
        self._start()

    def close(self) -> None:
        self.client.close()
        self.database.close()
        self.folder.cleanup()

    # The watcher

    def _start(self) -> None:
        self.database = Database(self.settings.database)
        with self.database.read() as connection:
            reached = checkpoints.reached(connection)
        self.fuse.attach(self.database)
        clock = {"clock": lambda: self.now}
        self.rescan = Rescan(self.settings.projects, since=0, reached=reached)
        self.ingest = Ingest(self.database, self.settings.capture, **clock)
        self.digest = Digest(self.database, self.agent, self.settings, **clock)
        self.life = Noted(self.database, self.ingest, self.digest, self.settings.watch, pace=lambda: self.pace, **clock)
        self.life.world = self
        self.must_recover = True
        self.orphans_due = self.pace

    def restart(self) -> None:
        """Let the watcher die, and the next one begin."""
        self.fuse.put_out()
        self.agent.meanwhile = None
        self.database.close()
        self._start()
        self.model.learn(self.transcripts(), self.owners(), self.broken())

    def alive(self, step: Callable[[], object]) -> bool:
        """Let the watcher do something; say whether it outlived that."""
        try:
            step()
        except Killed:
            self.restart()
            return False
        return True

    def read(self, transcript: Transcript) -> None:
        """Take one file in."""
        if transcript.path.exists():
            self.take_in(transcript.path)

    def take_in(self, path: Path) -> None:
        """Take one file in, as the watcher does when it hears of it."""
        taken = self.life.take_in(path)
        assert taken is not None
        if taken.turn_ends or taken.prompts:
            self.life.finalize(source_of(path).session_id)

    def note_read(self, path: Path) -> None:
        # A subagent's session is read before it.
        main = Path(source_of(path).transcript_path)
        for known in (main, path) if main.exists() and main != path else (path,):
            (transcript,) = (one for one in self.transcripts() if one.path == known)
            self.model.read(transcript)

    def step(self, *, looks: bool = True) -> None:
        """Do what the watcher does in one round (see `Watch._step`), whether it looks at all files in it or not."""
        for path in list(self.rescan.discover()) if looks else []:
            self.take_in(path)
        self.life.handle_flags()
        if self.must_recover:
            self.life.recover()
            self.must_recover = False
        if self.pace >= self.orphans_due:
            self.orphans_due = self.pace + ORPHANS_INTERVAL
            self.life.end_orphans(self.settings.watch.orphan_session)
        self.life.end_quiet()
        for session_id in self.digest.due():
            if self.digest.ask_agent(session_id) is Outcome.FAILED:
                return

    def settle(self) -> None:
        """Let the watcher do all that is left: no session, flag or tool use waits for ever, whatever the clock did."""
        self.fuse.put_out()
        self.agent.meanwhile = None
        self.agent.faults.clear()
        self.step()
        self.wait(self.settings.watch.closing_wait + 0.1)
        self.step()
        assert self.rows("SELECT * FROM flags WHERE lowered_at_epoch IS NULL") == []
        self.wait(self.settings.watch.idle_session)
        self.step()
        assert self.rows("SELECT session_id FROM sdk_sessions WHERE status = 'active'") == []
        # Whether a summarised turn still works in the background is told by the clock, which may have been a day ahead.
        self.wait(DAY + BACKGROUND_QUIET)
        while self.digest.due():
            self.step()

    # What happens around it

    def transcripts(self) -> list[Transcript]:
        return [*self.main, *self.sides]

    def wait(self, seconds: float) -> None:
        self.pace += seconds
        self.now += round(seconds * 1000)

    def set_clock(self, hours: int) -> None:
        """Set the clock to some hours from the right time."""
        self.now = lines.BEGIN + round(self.pace * 1000) + hours * 3_600_000

    def at(self) -> int:
        """Return a time for the next line, later than the one before."""
        self.wait(0.001)
        return self.now - lines.BEGIN

    def line(self, kind: str, transcript: Transcript) -> bytes:
        """Return a new line of some kind, unlike any before."""
        self.count += 1
        name = f"{kind}-{self.count}"
        said = ""
        match kind:
            case "prompt":
                line, said = lines.prompt(self.at(), f"Do {self.count}", uuid=name), name
            case "queued":
                line, said = lines.queued(self.at(), f"And {self.count}"), name
                line = re.sub(b'"queued-[0-9-]+"', json.dumps(name).encode(), line)
            case "use":
                line, said = lines.tool_use(self.at(), name, command="é\u2028" * (self.count % 300)), name
                transcript.open_uses.append(name)
            case "result" if transcript.open_uses:
                line = lines.tool_result(self.at(), transcript.open_uses.pop(), name)
            case "words":
                line = lines.words(self.at(), f"Did {self.count}.")
                transcript.last_words = f"Did {self.count}."
            case "end":
                line = lines.turn_end(self.at())
            case "broken":
                return b'{"type":"user",%d\n' % self.count
            case _:
                line = lines.line(self.at(), type="mode", number=self.count)
        self.model.meaning[line[:-1]] = said
        return line

    def lines(self, kinds: list[str], transcript: Transcript) -> bytes:
        """Return new lines; a subagent is given no prompts."""
        return b"".join(
            self.line("use" if transcript.is_side and kind in {"prompt", "queued"} else kind, transcript)
            for kind in kinds
        )

    def put(self, transcript: Transcript, content: bytes, *, by_rename: bool = False) -> None:
        """Write a file: in place, or by renaming another one over it."""
        transcript.content = content
        transcript.path.parent.mkdir(parents=True, exist_ok=True)
        target = transcript.path.with_name("other") if by_rename else transcript.path
        target.write_bytes(content)
        self.count += 1
        # As unique as on a file system with fine times, and by the clock of the moment.
        os.utime(target, ns=(self.now * 1_000_000 + self.count,) * 2)
        if by_rename:
            target.replace(transcript.path)

    def remove(self, transcript: Transcript) -> None:
        transcript.path.unlink(missing_ok=True)
        transcript.content = transcript.torn = b""

    def fork(self) -> None:
        """Let the second session begin with the history of the first under its own id."""
        history = []
        for _, line in self.main[0].whole_lines():
            copy = line.replace(lines.SESSION.encode(), SESSIONS[1].encode())
            said = self.model.says(line)
            if said is not None:
                self.model.meaning[copy.lstrip(b"\0")] = said
            history.append(copy + b"\n")
        self.put(self.main[1], b"".join(history))

    def move_project(self) -> None:
        """Rename the folder of both sessions."""
        self.count += 1
        old = self.main[0].path.parent
        new = old.with_name(f"-home-dev-moved-{self.count}")
        old.rename(new)
        for transcript in self.transcripts():
            transcript.path = new / transcript.path.relative_to(old)

    def forget_processes(self) -> None:
        """Let there be Claude Code's list of processes, with none of these sessions in it."""
        (self.settings.claude_dir / "sessions").mkdir(exist_ok=True)

    def prompted(self, who: int) -> None:
        """Do what the UserPromptSubmit hook does, with its own statement."""
        at = lines.line(self.now - lines.BEGIN)
        self.client.execute(
            _statement_of_hook(),
            {
                "session_id": SESSIONS[who],
                "project": "/home/dev/api",
                "cwd": "/home/dev/api",
                "transcript_path": str(self.main[who].path),
                "started_at": json.loads(at)["timestamp"],
                "now": self.now,
            },
        )

    def flag(self, session_id: str, kind: FlagKind, *, path: Path, ago: float = 0.0, **said: str) -> None:
        """Raise a flag as a hook does, some seconds ago by the clock of now."""
        said = {"session_id": session_id, "transcript_path": str(path), **said}
        self.client.execute(
            "INSERT INTO flags (session_id, kind, event, raised_at_epoch) VALUES (:session, :kind, :event, :at)",
            {
                "session": session_id,
                "kind": kind.value,
                "event": json.dumps(said),
                "at": self.now - round(ago * 1000),
            },
        )

    # What is in the memory

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.client.execute(sql).fetchall()

    def owners(self) -> dict[str, str]:
        found = self.rows(
            "SELECT tool_use_id, session_id FROM tool_uses UNION ALL SELECT uuid, session_id FROM user_prompts"
        )
        assert len(dict(found)) == len(found)
        return dict(found)

    def broken(self) -> set[tuple[str, int, bytes]]:
        found = self.rows('SELECT path, "offset", head FROM broken_lines')
        assert len(set(found)) == len(found)
        return set(found)


@cache
def _empty_database() -> bytes:
    folder = Path(tempfile.mkdtemp())
    try:
        Database.create(folder / "memory" / "data" / "empty.db").close()
        return (folder / "memory" / "data" / "empty.db").read_bytes()
    finally:
        shutil.rmtree(folder)


@cache
def _statement_of_hook() -> str:
    found = re.search(r'_RECORD = """(.*?)"""', (resources.hooks() / "user_prompt_submit.py").read_text(), re.DOTALL)
    assert found
    return found[1]
