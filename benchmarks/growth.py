"""A year of a heavy user, simulated: `python -m benchmarks.growth [--percent 1|10|100] [--max-size MB]`.

At 100 %: 5,000 sessions in twelve projects, 400,000 tool uses, some 20 GB of transcripts. Each turn is written and its
Stop flag raised, and what a watcher does then is done by the same parts in this process, at the simulated time: the
transcript is taken in, the turn summarised, the context rendered, the extractive agent asked, the house kept. A
transcript is deleted once its session is over. Printed as tables: how time, size, memory and what the next session
reads go through the year; what is planted in the sessions says whether a context holds what it should, and no more.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import resource
import sqlite3
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks import commands, homes, transcripts
from benchmarks.hooks import hook_pairs
from benchmarks.measure import (
    MEGABYTE,
    clean_environment,
    cpu_seconds,
    machine,
    number,
    percentile,
    progress,
    temporary_folder,
)
from benchmarks.transcripts import Session, Written
from watcher import settings as settings_room
from watcher import system
from watcher.agent import prompts
from watcher.agent.base import Batch, Reply
from watcher.agent.extractive import ExtractiveAgent
from watcher.memory import lookup, recalled, sessions
from watcher.memory.database import Database, driver
from watcher.memory.models import FlagKind
from watcher.recall.units import units
from watcher.service.digest import Digest, Outcome
from watcher.service.housekeeping import Housekeeping
from watcher.service.ingest import Ingest
from watcher.service.lifecycle import Lifecycle
from watcher.settings import RetentionSettings, Settings

SESSIONS = 5000  # a year, at 100 %
PROJECTS = 12  # some of them with many more sessions than others
TURNS = (8, 0.7)  # of a session: median and spread of a lognormal distribution
BETWEEN = (20, 600)  # seconds between two turns
SAMPLES = 5  # a year
RENDERED = 10  # every so many batches, what a model would have been sent is measured
LONGEST_ROUND = 400  # steps of keeping house, at most
TOKEN = 4  # bytes, on average
DOLLARS = (1.0, 5.0)  # for a million tokens in and out: a small model
ANSWER = 700  # tokens
_CODE = re.compile(r"\bP(\d\d)-(?:S|D)")
_TURN = re.compile(r"\bP\d\d-S\d{5}-T\d\d")


class Counting:
    """The extractive agent; counts what it is asked, and what a model would have been sent."""

    name = ExtractiveAgent.name

    def __init__(self) -> None:
        self._agent = ExtractiveAgent()
        self.requests = 0
        self.sent: list[int] = []  # bytes, of some of them
        self.rendering = 0.0  # CPU seconds, which are not the memory's

    def digest(self, batch: Batch) -> Reply:
        """Answer a batch."""
        self.requests += 1
        if self.requests % RENDERED == 0:
            begun = time.process_time()
            self.sent.append(len(prompts.SYSTEM.encode()) + len(prompts.render(batch).encode()))
            self.rendering += time.process_time() - begun
        return self._agent.digest(batch)

    def close(self) -> None:
        """Nothing runs."""


@dataclass
class Project:
    """One project, and what was planted in its sessions."""

    number: int
    decision: str = ""  # of its first session
    last_words: str = ""  # of its last turn

    @property
    def folder(self) -> str:
        """Where it is."""
        return f"/home/dev/{transcripts.sentence(random.Random(self.number), 1)[:-1].lower()}-{self.number:02}"


@dataclass(frozen=True)
class Sample:
    """How it stands at one time of the year."""

    year: float  # the part of it that is over
    written: Written
    cpu: float  # seconds a megabyte, since the sample before
    database: float  # megabytes in use
    peak: float  # megabytes of this process
    session_start: float  # times a bare Python
    turn: float  # CPU milliseconds from a Stop flag to the summary, on average since the sample before
    worst_turn: float  # of one in a hundred
    search: float  # CPU seconds; 0 where there is no search
    units: int  # of the context with the most
    decisions: int  # first decisions that are still in their project's context
    found: int  # of those, in any summary that is kept


@dataclass
class Year:
    """The user's year, and the memory of it."""

    percent: float
    settings: Settings
    database: Database
    agent: Counting = field(default_factory=Counting)
    now: int = 0  # epoch, simulated
    cpu: float = 0.0  # seconds spent by the memory since the last sample
    turns: list[float] = field(default_factory=list)  # CPU seconds from flag to summary, since the last sample
    written: Written = field(default_factory=Written)
    samples: list[Sample] = field(default_factory=list)

    def __post_init__(self) -> None:
        def clock() -> int:
            return self.now

        self.projects = [Project(number) for number in range(PROJECTS)]
        self.chance = random.Random(7)
        ingest = Ingest(self.database, self.settings.capture, clock=clock)
        self.digest = Digest(self.database, self.agent, self.settings, clock=clock)
        self.life = Lifecycle(self.database, ingest, self.digest, self.settings.watch, clock=clock)
        self.ingest = ingest
        self.house = Housekeeping(self.database, self.settings, clock=clock)
        self.begun = round(time.time() * 1000) - homes.YEAR
        self.now = self.begun

    def live(self) -> None:
        """Go through the year."""
        count = max(PROJECTS, round(SESSIONS * self.percent / 100))
        weights = [1 / (number + 1) for number in range(PROJECTS)]
        chosen = self.chance.choices(self.projects, weights, k=count - PROJECTS)
        # Each has a session at the beginning, so that there is something to forget.
        for index, project in enumerate([*self.projects, *chosen]):
            self.now = max(self.now, self.begun + index * (homes.YEAR // count))
            self.have_session(index, project)
            if self.now // homes.DAY != (self.now - homes.YEAR // count) // homes.DAY:
                self.keep_house()
            if (index + 1) * SAMPLES // count > len(self.samples):
                self.samples.append(self.look((index + 1) / count))
                progress(f"growth: {100 * (index + 1) / count:.0f} % of the year, {self.written.size / 1e6:.0f} MB")

    def have_session(self, index: int, project: Project) -> None:
        """Have one session from its first prompt to its end."""
        session = Session(transcripts.session_id(index), project.folder, seed=3, begun=self.now)
        path = homes.transcript(self.settings.projects, session)
        path.parent.mkdir(parents=True, exist_ok=True)
        median, spread = TURNS
        turns = max(1, min(60, round(self.chance.lognormvariate(0, spread) * median)))
        _append(path, session.opening())
        for turn in range(turns):
            mark = f"P{project.number:02}-S{index:05}-T{turn:02}"
            closing = f"Closed {mark}: {transcripts.sentence(self.chance, 40)}"
            if not project.decision:
                project.decision = f"P{project.number:02}-D{index:05}"
                closing = f"Decision {project.decision}: integers for timestamps, as texts do not sort. {closing}"
            prompt = f"Work on {mark}: {transcripts.sentence(self.chance, 20)}"
            _append(path, session.turn(prompt=prompt, closing=closing, is_over=False))
            self.now = round(session.now) + 20
            with self.database.write() as connection:
                event = json.dumps({"transcript_path": str(path), "last_assistant_message": session.closing})
                kind, folder = FlagKind.FINALIZE, project.folder
                sessions.raise_flag(connection, session.session_id, kind, event, self.now, project=folder)
            before = self.cpu
            self.spend(self.life.handle_flags)
            self.turns.append(self.cpu - before)
            _append(path, session.turn_end())
            self.spend(lambda: self.follow(path))
            session.now += 1000 * self.chance.uniform(*BETWEEN)
            self.now = round(session.now)
            self.spend(self.ask)
            project.last_words = closing
        with self.database.write() as connection:
            event = json.dumps({"transcript_path": str(path), "reason": "prompt_input_exit"})
            sessions.raise_flag(connection, session.session_id, FlagKind.CLEANUP, event, self.now)
        self.spend(self.life.handle_flags)
        self.spend(self.ask)
        self.written += session.written
        path.unlink()

    def follow(self, path: Path) -> None:
        """Do what a watcher does when it hears of a transcript, and each second."""
        self.life.follow(path)
        self.life.end_quiet()

    def ask(self) -> None:
        """Have the agent asked about all that is due."""
        for session_id in self.digest.due():
            while self.digest.ask_agent(session_id) is Outcome.DONE:
                pass

    def keep_house(self) -> None:
        """Forget what the settings say, once a day; a step that ends early had nothing left to do."""

        def work() -> None:
            for _ in range(LONGEST_ROUND):
                begun = time.monotonic()
                self.house.step(is_idle=True)
                if time.monotonic() - begun < 0.25:
                    break
            self.ingest.horizon = self.house.horizon

        self.spend(work)

    def spend(self, act: Callable[[], object]) -> None:
        """Do something on the memory's account."""
        begun, beside = time.process_time(), self.agent.rendering
        act()
        self.cpu += time.process_time() - begun - (self.agent.rendering - beside)

    def look(self, year: float) -> Sample:
        """Measure how it stands."""
        home = self.settings.home.parent
        environment = clean_environment(home)
        with system.lock(self.settings.lock):
            start = hook_pairs("session_start.py", environment, project=self.projects[0].folder, count=3)
        search = 0.0
        if commands.is_there("search", environment):
            command = commands.command("search", self.projects[0].decision)
            search = statistics.median(cpu_seconds(command, environment=environment, may_fail=True) for _ in range(3))
        contexts = [(project, text) for project, text in self.contexts() if text]
        size = self.written.size - sum(sample.written.size for sample in self.samples[-1:])
        cpu = self.cpu * MEGABYTE / size
        turns, self.turns, self.cpu = self.turns, [], 0.0
        return Sample(
            year=year,
            written=replace(self.written),
            cpu=cpu,
            database=self.used() / MEGABYTE,
            peak=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MEGABYTE,
            session_start=statistics.median(start.ratios),
            turn=1000 * statistics.mean(turns),
            worst_turn=1000 * percentile(turns, 0.99),
            search=search,
            units=max(units(text) for _, text in contexts),
            decisions=sum(project.decision in text for project, text in contexts),
            found=sum(self.is_kept(project.decision) for project, _ in contexts),
        )

    def contexts(self) -> Iterator[tuple[Project, str]]:
        """Return what the next session of each project reads."""
        with lookup.opened(self.database.path) as connection:
            for project in self.projects:
                yield project, lookup.context(connection, project.folder)

    def is_kept(self, words: str) -> bool:
        """Say whether something that was said is in any summary."""
        with self.database.read() as connection:
            sql = "SELECT EXISTS (SELECT 1 FROM session_summaries WHERE instr(summary_text, ?))"
            return bool(connection.exec_driver_sql(sql, (words,)).scalar_one())

    def used(self) -> int:
        """Return the bytes of the database that hold something."""
        with self.database.read() as connection:
            size, total, free = (
                int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())
                for name in ("page_size", "page_count", "freelist_count")
            )
        return (total - free) * size


def quality(year: Year) -> Iterator[tuple[str, str]]:
    """Return what can be told of the contexts in the end: what should be in them, and what should not."""
    found = [(project, text) for project, text in year.contexts() if project.decision]
    whole = foreign = last = 0
    sizes, reach = [], []
    with year.database.read() as connection:
        for project, text in found:
            (summary,) = recalled.summaries(driver(connection), project.folder, 1)
            fields = (summary.request, summary.investigated, summary.learned, summary.completed, summary.next_steps)
            whole += all(" ".join(words.split()) in text for words in (*fields, summary.notes))
            last += project.last_words[:19] in text  # up to and with its mark
            foreign += any(int(code) != project.number for code in _CODE.findall(text))
            sizes.append(units(text))
            reach.append(len(set(_TURN.findall(text))))
    count = len(found)
    yield "projects whose context holds the last summary whole", f"{whole} of {count}"
    yield "… and the last words of their last session", f"{last} of {count}"
    yield "… and the decision of their first session", f"{sum(p.decision in text for p, text in found)} of {count}"
    yield "first decisions that are still in a summary", f"{sum(year.is_kept(p.decision) for p, _ in found)} of {count}"
    yield "contexts that hold anything of another project", f"{foreign} of {count}"
    yield "units used of 10,000", f"{min(sizes)} to {max(sizes)}, median {statistics.median(sizes):.0f}"
    yield "turns that a context tells of", f"{min(reach)} to {max(reach)}, median {statistics.median(reach):.0f}"


def tables(path: Path) -> list[tuple[str, int, int]]:
    """Return each table with its rows and its bytes, its indexes among them, the largest first."""
    with closing(sqlite3.connect(path)) as connection:
        sizes = connection.execute(
            "SELECT coalesce(tbl_name, name), sum(pgsize) FROM dbstat LEFT JOIN sqlite_schema USING (name) "
            "GROUP BY 1 ORDER BY 2 DESC"
        ).fetchall()
        found = []
        for name, size in sizes:
            is_table = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (name,)).fetchone()
            rows = connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] if is_table else 0
            found.append((str(name), int(rows), int(size)))
    return found


def told(year: Year) -> Iterator[str]:
    """Return all of it, as Markdown."""
    written = year.written
    yield (
        f"{year.percent:g} % of a year: {written.turns:,} turns, {written.tool_uses:,} tool uses, "
        f"{written.size / 1e9:.2f} GB of transcripts."
    )
    yield ""
    yield "| of the year | tool uses | CPU, ms a MB | Stop to summary: mean, p99 | database, MB | SessionStart, times |"
    yield "|---|---|---|---|---|---|"
    for sample in year.samples:
        yield (
            f"| {100 * sample.year:.0f} % | {sample.written.tool_uses:,} | {1000 * sample.cpu:.1f} "
            f"| {sample.turn:.1f}, {sample.worst_turn:.1f} ms | {sample.database:.1f} | {sample.session_start:.2f} |"
        )
    yield ""
    yield "| of the year | search, CPU | peak, MB | largest context, units | first decisions: in the context, kept |"
    yield "|---|---|---|---|---|"
    for sample in year.samples:
        search = f"{sample.search:.2f} s" if sample.search else "not there"
        yield (
            f"| {100 * sample.year:.0f} % | {search} | {sample.peak:.0f} | {sample.units} "
            f"| {sample.decisions}, {sample.found} of {PROJECTS} |"
        )
    yield ""
    yield "| in the end | |"
    yield "|---|---|"
    for what, figure in quality(year):
        yield f"| {what} | {figure} |"
    yield ""
    yield "| table, with its indexes | rows | MB | bytes a tool use |"
    yield "|---|---|---|---|"
    for name, rows, size in tables(year.database.path):
        if size >= 0.005 * year.used():
            yield f"| {name} | {rows:,} | {size / MEGABYTE:.1f} | {size / written.tool_uses:.0f} |"
    yield ""
    yield from on_paper(year)


def on_paper(year: Year) -> Iterator[str]:
    """Return what a model would have been asked, and its price, for a whole year."""
    whole = 100 / year.percent
    sent = statistics.mean(year.agent.sent)
    requests = year.agent.requests * whole
    tokens_in, tokens_out = requests * sent / TOKEN / 1e6, requests * ANSWER / 1e6
    cost = tokens_in * DOLLARS[0] + tokens_out * DOLLARS[1]
    yield (
        f"With a model: {year.agent.requests:,} requests, {number(requests / 365)} a day in a whole year, of "
        f"{sent / 1000:.1f} kB on average (one in {RENDERED} was rendered). At {TOKEN} bytes a token and {ANSWER} "
        f"tokens an answer: {tokens_in:.0f} million tokens in and {tokens_out:.0f} million out a year, which at "
        f"${DOLLARS[0]:g} and ${DOLLARS[1]:g} a million is ${cost:,.0f}."
    )


@contextmanager
def a_year(percent: float, max_size: float) -> Iterator[Year]:
    """Give a year that is not lived yet, in a home of its own."""
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder())
        named = {"CLAUDE_MEM_HOME": str(folder / ".claude-mem"), "CLAUDE_CONFIG_DIR": str(folder / ".claude")}
        settings = settings_room.load({**named, "CLAUDE_MEM_AGENT": ExtractiveAgent.name})
        settings = replace(settings, retention=RetentionSettings(max_size=max_size))
        database = Database.create(settings.database)
        stack.callback(database.close)
        yield Year(percent, settings, database)


def main() -> None:
    """Live through a year and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--percent", type=float, default=1.0, help="of a heavy user's year; 100 takes half an hour")
    parser.add_argument("--max-size", type=float, default=RetentionSettings().max_size, help="MB kept; 0: all")
    given = parser.parse_args()
    if not 0 < given.percent <= 100:
        parser.error("--percent is above 0 and at most 100")
    with a_year(given.percent, given.max_size) as year:
        begun = time.monotonic()
        year.live()
        sys.stdout.write(f"{machine()}\n\n")
        for line in told(year):
            sys.stdout.write(f"{line}\n")
        progress(f"growth: done in {time.monotonic() - begun:.0f} s")


def _append(path: Path, lines: Iterator[bytes]) -> None:
    with path.open("ab") as file:
        file.write(b"".join(lines))


if __name__ == "__main__":
    main()
