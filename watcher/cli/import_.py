"""Owns `claude-mem import`: a memory of what was done before there was one."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from watcher.cli.style import counted, local_time, say, say_json
from watcher.errors import ClaudeMemError, UsageError

if TYPE_CHECKING:
    from watcher.service.alone import Alone
    from watcher.service.history import History
    from watcher.service.importing import Imported
    from watcher.service.takeover import TakenOver
    from watcher.settings import Settings

_GO_ON = "the same command again goes on where this one ended"
_SHOWN = 5  # projects and files named in a report


def import_(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Transcripts, or folders that hold some. [default: all of Claude Code's]",
            metavar="PATH",
            show_default=False,
        ),
    ] = None,
    their_database: Annotated[
        Path | None,
        typer.Option("--claude-mem-db", help="Take over the database of the TypeScript claude-mem.", metavar="FILE"),
    ] = None,
    model_last: Annotated[
        int,
        typer.Option("--model-last", help="Leave the last N sessions to the model.", metavar="N", min=0),
    ] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what there is, and change nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: what was imported.")] = False,
) -> None:
    """Take in what Claude Code wrote before there was a memory, or the memory of the TypeScript claude-mem.

    The oldest session comes first, each with its own times. No model is asked, unless you name a number of sessions:
    these wait for it as any others do, within the budget. Nothing comes in twice; what was interrupted is gone on with.
    A watcher that runs is ended meanwhile, and started again.

    Examples:
        claude-mem import
        claude-mem import --model-last 20
        claude-mem import ~/.claude/projects/-home-me-api --dry-run
        claude-mem import --claude-mem-db ~/.claude-mem/claude-mem.db
    """
    from watcher import settings as settings_room

    settings = settings_room.load()
    if model_last and settings.agent.name == "extractive":
        raise UsageError("the agent is extractive: no model is asked", hint="CLAUDE_MEM_AGENT=claude claude-mem import")
    if model_last and their_database and not paths:
        raise UsageError("--model-last is for transcripts", hint="claude-mem import --model-last N")
    wanted = list(paths or []) or ([] if their_database else [settings.projects])
    _check(settings, wanted)
    if dry_run:
        _show(settings, wanted, their_database, as_json=as_json)
    else:
        _import(settings, wanted, their_database, model_last, as_json=as_json)


def _show(settings: Settings, paths: Sequence[Path], their_database: Path | None, *, as_json: bool) -> None:
    """Say what would be imported."""
    from watcher.memory import typescript

    shown: dict[str, Any] = {}
    if paths:
        history = _history(settings, paths)
        new = [session for session in history.sessions if session.parts]
        shown["transcripts"] = {"sessions": len(new), "bytes": history.size, "known": history.known}
        if not as_json:
            dated = [session.started_at for session in new if session.started_at]
            span = f", from {local_time(min(dated))[:10]} to {local_time(max(dated))[:10]}" if dated else ""
            say(f"{counted(len(new), 'session')} to import, {history.size / 1e6:,.1f} MB{span}")
            _say_known(history.known)
    if their_database:
        with typescript.opened(their_database.expanduser()) as theirs:
            shown["claude_mem_db"] = counts = dict.fromkeys(("sessions", "prompts", "observations", "summaries"), 0)
            for session in theirs.sessions():
                counts["sessions"] += 1
                for name in ("prompts", "observations", "summaries"):
                    counts[name] += len(getattr(session, name))
        if not as_json:
            say(f"{counted(counts['sessions'], 'session')} in {their_database}: {_came_of(counts)}")
    if as_json:
        say_json({"dry_run": True, **shown})


def _import(
    settings: Settings, paths: Sequence[Path], their_database: Path | None, model_last: int, *, as_json: bool
) -> None:
    from watcher.memory import typescript
    from watcher.service import history as history_room
    from watcher.service.alone import Alone

    begun = time.monotonic()
    imported, taken_over, found = None, None, None
    with _ended_by_signals() as is_stopping:
        if their_database:
            with typescript.opened(their_database.expanduser()):
                pass  # what is wrong with it is said before a watcher is ended
        with Alone(settings) as alone:
            if their_database:
                with typescript.opened(their_database.expanduser()) as theirs:
                    ids = theirs.session_ids()
                    there = history_room.transcripts_of(ids, settings.projects)
                    found = _history(settings, [*paths, *there])
                    imported = _transcripts(settings, alone, found, model_last, is_stopping)
                    taken_over = _takeover(settings, alone, theirs, len(ids), is_stopping)
            else:
                found = _history(settings, paths)
                imported = _transcripts(settings, alone, found, model_last, is_stopping)
    seconds = time.monotonic() - begun
    is_whole = imported.is_whole and (taken_over is None or taken_over.is_whole)
    unreadable = {**found.unreadable, **imported.unreadable}
    if as_json:
        said = {str(path): why for path, why in unreadable.items()}
        transcripts = {**asdict(imported), "known": found.known, "unreadable": said}
        theirs_ = {"claude_mem_db": asdict(taken_over)} if taken_over else {}
        say_json({"seconds": round(seconds, 3), "is_whole": is_whole, "transcripts": transcripts, **theirs_})
    else:
        if paths or imported.sessions:
            _tell(imported, found, seconds)
        if taken_over:
            _tell_takeover(taken_over)
    if not is_whole:
        raise ClaudeMemError("interrupted; what is said above is kept", hint=_GO_ON)
    if unreadable:
        path, why = next(iter(unreadable.items()))
        raise ClaudeMemError(f"cannot read {path}: {why} ({len(unreadable)} in all)", hint=f"ls -l {path}")


def _check(settings: Settings, paths: Sequence[Path]) -> None:
    """Say what is wrong with the paths before a watcher is ended."""
    from watcher.service import history

    for path in paths:
        if path == settings.projects and not path.is_dir():
            raise UsageError(f"Claude Code has written nothing yet at {path}", hint="claude-mem import PATH")
        history.check(path, settings.projects)


def _history(settings: Settings, paths: Sequence[Path]) -> History:
    from watcher.memory import checkpoints, sessions
    from watcher.memory.database import Database
    from watcher.service import history
    from watcher.service.admission import Admission
    from watcher.service.ingest import source_of

    covered, active = {}, set()
    admission = Admission(settings.privacy, settings.home)
    if settings.database.exists():
        database = Database.existing(settings.database)
        with database.read() as connection:
            covered = checkpoints.covered(connection)
            active = {session.session_id for session in sessions.active(connection)}
        database.close()
    return history.find(
        paths,
        settings.projects,
        covered,
        active,
        leaves_out=lambda path: admission.leaves_out(source_of(path)),
    )


def _transcripts(
    settings: Settings, alone: Alone, found: History, model_last: int, is_stopping: Callable[[], bool]
) -> Imported:
    from watcher import agent
    from watcher.service.importing import Import

    asked = agent.create(settings.agent, settings.home / "agent", settings.claude_dir)
    with _bar(found.size, "importing") as progress:
        job = Import(settings, alone.database, asked, progress=progress, is_stopping=is_stopping, beat=alone.beat)
        return job.run(found.sessions, model_last=model_last)


def _takeover(settings: Settings, alone: Alone, theirs: Any, count: int, is_stopping: Callable[[], bool]) -> TakenOver:
    from watcher.service.takeover import Takeover

    with _bar(count, "taking over") as progress:
        job = Takeover(settings, alone.database, progress=progress, is_stopping=is_stopping, beat=alone.beat)
        return job.run(theirs)


@contextmanager
def _bar(length: int, label: str) -> Iterator[Callable[[int], None]]:
    """Give what moves a progress bar on; it is seen in a terminal alone."""
    hidden = not sys.stderr.isatty() or not length
    with typer.progressbar(length=length, label=label, file=sys.stderr, hidden=hidden) as bar:
        yield bar.update


@contextmanager
def _ended_by_signals() -> Iterator[Callable[[], bool]]:
    """Give what says whether the import was asked to end; asked twice, it is cut off, and nothing is lost by it."""
    asked: list[int] = []

    def end(number: int, _frame: FrameType | None) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)
        typer.echo("\nending after this session; once more cuts it off", err=True)

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _tell(imported: Imported, found: History, seconds: float) -> None:
    sessions = counted(imported.sessions, "session")
    came = f"{counted(imported.prompts, 'prompt')} and {counted(imported.tool_uses, 'tool use')}"
    say(f"imported {sessions} from transcripts, {came}, in {seconds:.1f} s", colour="green")
    _say_known(found.known)
    if imported.going_on:
        say(f"{counted(imported.going_on, 'session')} may still go on: the next watcher follows them")
    if imported.for_model:
        say(f"{counted(imported.for_model, 'session')} wait for the model, within its budget: claude-mem usage")
    if imported.forgotten:
        say(f"{counted(imported.forgotten, 'session')} left alone: from before what [retention] keeps")
    if imported.taken_over:
        say(f"{counted(imported.taken_over, 'session')} left alone: taken over from another database before")


def _say_known(known: int) -> None:
    if known:
        say(f"{counted(known, 'session')} {'is' if known == 1 else 'are'} known already")


def _tell_takeover(taken: TakenOver) -> None:
    say(f"took over {counted(taken.sessions, 'session')}: {_came_of(asdict(taken))}", colour="green")
    if taken.empty:
        say(f"{counted(taken.empty, 'session')} left alone: nothing was kept of them")
    if taken.excluded:
        say(f"{counted(taken.excluded, 'session')} left alone: [privacy] excludes their projects")
    if taken.forgotten:
        say(f"{counted(taken.forgotten, 'session')} left alone: from before what [retention] keeps")
    if taken.unmapped:
        named = sorted(taken.unmapped, key=lambda name: -taken.unmapped[name])
        more = f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
        names = ", ".join(f"{name} ({taken.unmapped[name]})" for name in named[:_SHOWN])
        count = counted(sum(taken.unmapped.values()), "session")
        say(f"{count} keep a bare project name, as no folder is known for it: {names}{more}", colour="yellow")
        say("They are found by search; no project's context holds them.")


def _came_of(counts: dict[str, Any]) -> str:
    prompts, observations = counted(counts["prompts"], "prompt"), counted(counts["observations"], "observation")
    return f"{prompts}, {observations}, {counted(counts['summaries'], 'summary', 'summaries')}"
