"""Owns `claude-mem replay`: recorded sessions played into a memory."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from watcher.cli.style import counted, say, say_json
from watcher.errors import ClaudeMemError, UsageError


def replay(
    paths: Annotated[list[Path], typer.Argument(help="Transcripts, or folders that hold some.", metavar="PATH...")],
    agent_name: Annotated[
        str, typer.Option("--agent", help="Who observes and summarises: extractive (no model) or claude.")
    ] = "extractive",
    speed: Annotated[
        float, typer.Option("--speed", help="Play at the recorded pace times N; 0 plays at once.", metavar="N", min=0)
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: what was played and what is kept.")] = False,
) -> None:
    """Play recorded sessions through the same tail, ingest, digest and store as `watch`.

    A transcript's subagents come with it, and so do the hook events in a `hooks.jsonl` beside it. What is already
    known comes in once.

    Examples:
        claude-mem replay fixtures/ordinary
        CLAUDE_MEM_HOME=/tmp/try claude-mem replay ~/.claude/projects/-home-me-api --agent extractive
        claude-mem replay fixtures/ordinary --speed 20
    """
    from watcher import agent
    from watcher import settings as settings_room
    from watcher.cli.events import print_event
    from watcher.memory import figures
    from watcher.memory.database import Database, driver
    from watcher.service import recording
    from watcher.service.events import Event
    from watcher.service.replay import Replay

    settings = settings_room.load()
    if agent_name not in settings_room.AGENTS:
        raise UsageError(f"no agent {agent_name!r}", hint=f"--agent {' or '.join(settings_room.AGENTS)}")
    settings = replace(settings, agent=replace(settings.agent, name=agent_name))
    recordings = recording.find(paths)
    database = Database.create(settings.database)
    chosen = agent.create(settings.agent, settings.home / "agent", settings.claude_dir)
    begun = time.monotonic()

    def quiet(_event: Event) -> None:
        return

    total = sum(each.size for each in recordings)
    with typer.progressbar(length=total, label="replaying", hidden=as_json or speed > 0) as bar:
        player = Replay(
            settings,
            database,
            chosen,
            listener=quiet if as_json or speed == 0 else print_event,
            progress=bar.update,
        )
        try:
            answered = player.at_pace(recordings, speed) if speed else player.at_once(recordings)
        finally:
            chosen.close()
    seconds = time.monotonic() - begun
    with database.read() as connection:
        counts = figures.counts(driver(connection))
    if as_json:
        say_json({"recordings": len(recordings), "bytes": total, "seconds": round(seconds, 3), **counts._asdict()})
    else:
        say(f"{counted(len(recordings), 'session')}, {total / 1e6:.1f} MB in {seconds:.1f} s")
        kept = f"{counted(counts.observations, 'observation')}, {counted(counts.summaries, 'summary', 'summaries')}"
        say(f"kept: {kept} in {settings.database}")
    if not answered:
        raise ClaudeMemError(
            f"the agent did not answer everything ({counts.last_error or 'it is still busy'})",
            hint="claude-mem status; what it owes is kept, and provisional summaries stand meanwhile",
        )
