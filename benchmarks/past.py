"""What a long past costs: a memory of a hundred thousand observations beside one of a hundred."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection

from benchmarks import commands, homes, transcripts
from benchmarks.hooks import hook_seconds
from benchmarks.measure import Figure, clean_environment, cpu_seconds, pairs, progress, temporary_folder
from watcher import system
from watcher.memory import outcomes, turns
from watcher.memory.database import Database, driver, insert, iso
from watcher.memory.models import SdkSession
from watcher.recall import context
from watcher.recall.rendering import bring_up_to_date
from watcher.settings import ContextSettings

MANY, FEW = 100_000, 100  # observations
OF_A_SESSION = 20
TOGETHER = 100  # sessions of one transaction
PAIRS = 7
SEARCH = ("search", "timeout")


def figures() -> Iterator[Figure]:
    """Measure SessionStart, rendering what it prints, and search."""
    with temporary_folder() as folder:
        worlds = {count: folder / str(count) for count in (FEW, MANY)}
        for count, home in worlds.items():
            progress(f"past: writing {count} observations")
            remember(home, count)
        environments = {count: clean_environment(home) for count, home in worlds.items()}

        def both(name: str, measure: Callable[[int], float], target: float | None) -> Figure:
            measured = pairs(PAIRS, lambda: measure(MANY), lambda: measure(FEW))
            progress(f"past: {name}")
            what = f"{name} with {MANY:,} observations"
            return Figure(what, measured.against(f"with {FEW}"), measured.ratios, target)

        def session_start(count: int) -> float:
            with system.lock(worlds[count] / ".claude-mem" / "data" / "watcher.lock"):
                return hook_seconds("session_start.py", environments[count], project=homes.project(1))

        yield both("SessionStart hook, CPU of the process", session_start, 1.5)
        yield both("Rendering a project's context", lambda count: rendering_seconds(worlds[count]), None)
        if not commands.is_there(SEARCH[0], environments[FEW]):
            yield Figure(f"`claude-mem search` with {MANY:,} observations", f"with {FEW}", (), 3)
            return

        def search(count: int) -> float:
            return cpu_seconds(commands.command(*SEARCH), environment=environments[count], may_fail=True)

        yield both("`claude-mem search`, CPU of the process", search, 3)


def remember(home: Path, count: int) -> None:
    """Make a memory of so many observations, over a year and some projects, each with a context."""
    chance = random.Random(count)
    begun = round(time.time() * 1000) - homes.YEAR
    with _database(home) as database:
        sessions = count // OF_A_SESSION
        for first in range(0, sessions, TOGETHER):
            with database.write() as connection:
                for number in range(first, min(first + TOGETHER, sessions)):
                    _remember_session(connection, chance, number, begun + number * (homes.YEAR // sessions))
        for project in {homes.project(number) for number in range(homes.PROJECTS)}:
            with database.write() as connection:
                bring_up_to_date(connection, project, ContextSettings(), now=begun)


def _remember_session(connection: Connection, chance: random.Random, number: int, at: int) -> None:
    turn = _turn(number, at)
    session = {
        "session_id": turn.session_id,
        "project": turn.project,
        "status": "completed",
        "started_at": iso(at),
        "started_at_epoch": at,
        "last_activity_at_epoch": at,
    }
    connection.execute(insert(SdkSession).values(session))
    observed = [_observation(chance, number, index, at + index) for index in range(OF_A_SESSION)]
    outcomes.put_observations(connection, turn.session_id, turn.project, observed, agent="claude")
    outcomes.put_agent_summary(connection, turn, _summary(chance, number), agent="claude", now=at)


def rendering_seconds(home: Path) -> float:
    """Return how long it takes to render what a project's next session reads."""
    with _database(home) as database, database.read() as connection:
        begun = time.perf_counter()
        for _ in range(10):
            assert context.render(driver(connection), homes.project(1), ContextSettings())
        return (time.perf_counter() - begun) / 10


@contextmanager
def _database(home: Path) -> Iterator[Database]:
    database = Database.create(home / ".claude-mem" / "data" / "claude-mem.db")
    try:
        yield database
    finally:
        database.close()


def _turn(number: int, at: int) -> turns.Turn:
    return turns.Turn(
        session_id=transcripts.session_id(number),
        project=homes.project(number),
        first_number=1,
        number=1,
        prompts=(),
        closing_text="",
        closing_at=at,
        is_over=True,
        last_at=at,
        pending=0,
        tries=0,
        summary_source=None,
        summary_closing_at=0,
        attempts=0,
    )


def _observation(chance: random.Random, number: int, index: int, at: int) -> outcomes.ObservationFields:
    words = transcripts.sentence
    return outcomes.ObservationFields(
        prompt_number=1,
        type=chance.choice(("bugfix", "feature", "change", "discovery", "decision")),
        title=f"{words(chance, 8)} ({number}-{index})",
        subtitle=words(chance, 12),
        narrative=words(chance, 60),
        facts=(words(chance, 10), words(chance, 10)),
        concepts=("how-it-works", "gotcha"),
        files_read=(f"{homes.project(number)}/src/{index}.py",),
        files_modified=(f"{homes.project(number)}/src/{index}.py",),
        tool_use_ids=(f"toolu_{number}_{index}",),
        at=at,
    )


def _summary(chance: random.Random, number: int) -> outcomes.SummaryFields:
    told = [transcripts.sentence(chance, 25) for _ in range(6)]
    return outcomes.SummaryFields(f"Task {number}. {told[0]}", *told[1:])
