"""How long it takes from a line to its row, and from a Stop flag to what the next session reads.

A real watcher serves two hundred open sessions. The database is polled without a pause, by one connection that is kept;
how long one look takes is measured too, and told beside the figures.
"""

from __future__ import annotations

import json
import random
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from benchmarks import transcripts
from benchmarks.measure import Figure, duration, percentile, progress, temporary_folder
from benchmarks.transcripts import Session
from tests.claude_cli import wait_until
from tests.service.watcher_process import WatcherProcess
from watcher import resources

SESSIONS = 200
ROUNDS = 5
APPENDS = 200  # a round
STOPS = 12  # a round
ROUND = 10.0  # seconds after which a round is over, however few it had
LONGEST = 30.0  # seconds for one of them
SETTLING = 300.0  # seconds for all that was there before
PAUSES = (0.005, 0.06)  # seconds between two appends, at random
ROW = "SELECT 1 FROM tool_uses WHERE tool_use_id = ?"
CLOSING_WORDS = "SELECT 1 FROM user_prompts WHERE session_id = ? AND closing_text = ?"
FLAG = "SELECT 1 FROM flags WHERE session_id = ? AND lowered_at_epoch IS NULL"
# Another session's turn in the project may have ended later, by what its lines say: then that one is told whole.
READABLE = """
SELECT 1 FROM session_summaries this JOIN contexts USING (project)
WHERE session_id = ? AND instr(summary_text, ?) AND (
    instr(contexts.text, ?) OR EXISTS (
        SELECT 1 FROM session_summaries later
        WHERE later.project = this.project AND later.created_at_epoch > this.created_at_epoch
    )
)
"""
TAKEN_IN = 'SELECT count(*), sum("offset") FROM checkpoints'


def append_figures() -> Iterator[Figure]:
    """Measure from the write of a line with a tool use until its row is committed."""
    chance = random.Random(1)

    def wait(world: _World) -> float:
        time.sleep(chance.uniform(*PAUSES))
        return world.from_line_to_row(chance.choice(world.sessions))

    with _open_sessions(are_at_work=True) as world:
        rounds = _rounds("append", APPENDS, lambda: wait(world))
        step = world.looks_told()
    medians = tuple(statistics.median(waits) for waits in rounds)
    worst = tuple(percentile(waits, 0.99) for waits in rounds)
    what = f"From an appended line to its committed row, {SESSIONS} sessions open"
    yield Figure(f"{what}: median", step, medians, 2, "ms")
    yield Figure(f"{what}: p99", step, worst, 20, "ms")


def stop_figures() -> Iterator[Figure]:
    """Measure from the raised flag until summary and context are readable, the transcript being complete."""
    chance = random.Random(1)
    with _open_sessions(are_at_work=False) as world:
        rounds = _rounds("stop", STOPS, lambda: world.from_flag_to_context(chance.choice(world.sessions)))
        step = world.looks_told()
    medians = tuple(statistics.median(waits) for waits in rounds)
    what = "From a raised Stop flag to a readable summary and context, transcript complete"
    yield Figure(f"{what}: median", step, medians, 60, "ms")
    yield Figure(f"{what}: longest of {STOPS}", step, tuple(map(max, rounds)), None, "ms")


def _rounds(name: str, most: int, wait: Callable[[], float]) -> list[list[float]]:
    """Return the waits (ms) of each round, `most` in it at most; one before them warms up, and does not count."""
    rounds = []
    for number in range(ROUNDS + 1):
        waits: list[float] = []
        until = time.monotonic() + ROUND
        while len(waits) < most and time.monotonic() < until:
            waits.append(1000 * wait())
        progress(f"{name}: round {number} of {ROUNDS}, median {statistics.median(waits):.2f} ms")
        rounds.append(waits)
    return rounds[1:]


class _World:
    """A watcher, the sessions that it follows, and whoever looks into its memory as fast as can be."""

    def __init__(self, watcher: WatcherProcess, sessions: list[Session], connection: sqlite3.Connection) -> None:
        self.sessions = sessions
        self._watcher = watcher
        self._connection = connection
        self._numbers = iter(range(1_000_000))
        self._looks = 0
        self._looked = 0.0  # seconds

    def from_line_to_row(self, session: Session) -> float:
        """Append a call of a tool to a session; return how long its row was waited for, in seconds."""
        tool_use_id = f"toolu_appended_{next(self._numbers)}"
        line = session.call(tool_use_id)
        with self._path(session).open("ab", buffering=0) as file:
            begun = time.perf_counter()
            file.write(line)
        return self._until(ROW, tool_use_id) - begun

    def from_flag_to_context(self, session: Session) -> float:
        """Run a Stop hook at a turn's end; return how long after its flag all was readable, in seconds."""
        prompt = f"Handle task number {next(self._numbers):06}."
        self.append(session, session.turn(10, prompt=prompt, is_over=False))
        # Nothing is left to wait for in the transcript.
        self._until(CLOSING_WORDS, session.session_id, session.closing)
        event = {
            "session_id": session.session_id,
            "cwd": session.cwd,
            "transcript_path": str(self._path(session)),
            "hook_event_name": "Stop",
            "last_assistant_message": session.closing,
        }
        command = [sys.executable, "-I", "-S", str(resources.hooks() / "stop.py")]
        environment = self._watcher.environment
        with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as hook:
            assert hook.stdin is not None
            hook.stdin.write(json.dumps(event).encode())
            hook.stdin.close()
            begun = self._until(FLAG, session.session_id)
            ended = self._until(READABLE, session.session_id, prompt, prompt)
        self.append(session, session.turn_end())
        return ended - begun

    def append(self, session: Session, lines: Iterable[bytes]) -> None:
        """Append lines that are written now."""
        session.now = time.time() * 1000 - 1000
        self._path(session).parent.mkdir(parents=True, exist_ok=True)
        with self._path(session).open("ab") as file:
            file.write(b"".join(lines))

    def wait_for_all(self) -> None:
        """Wait until every transcript is taken in."""
        size = sum(session.written.size for session in self.sessions)
        wait_until(lambda: self._watcher.rows(TAKEN_IN) == [(len(self.sessions), size)], timeout=SETTLING)

    def looks_told(self) -> str:
        """Return how long one look takes, on average."""
        return f"(a look into the database takes {duration(self._looked / self._looks)})"

    def _path(self, session: Session) -> Path:
        return self._watcher.projects / session.cwd.replace("/", "-") / f"{session.session_id}.jsonl"

    def _until(self, sql: str, *values: str) -> float:
        """Look until there is a row; return when that was."""
        begun = time.perf_counter()
        while True:
            row = self._connection.execute(sql, values).fetchone()
            moment = time.perf_counter()
            self._looks += 1
            if row is not None:
                self._looked += moment - begun
                return moment
            if moment - begun > LONGEST:
                raise TimeoutError(
                    f"not within {LONGEST} s: {sql} {values}\n{self._watcher.output.read_text()[-2000:]}"
                )


@contextmanager
def _open_sessions(*, are_at_work: bool) -> Iterator[_World]:
    """Give a watcher that follows some sessions, in the middle of a turn or between two."""
    with temporary_folder() as home, WatcherProcess(home) as watcher:
        watcher.start()
        begun = round(time.time() * 1000)
        sessions = [
            Session(transcripts.session_id(number), f"/home/dev/project-{number % 20}", seed=1, begun=begun, step=10)
            for number in range(SESSIONS)
        ]
        path = watcher.memory / "data" / "claude-mem.db"
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            world = _World(watcher, sessions, connection)
            for session in sessions:
                world.append(session, [*session.opening(), *session.turn(5, is_over=not are_at_work)])
            world.wait_for_all()
            yield world
