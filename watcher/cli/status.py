"""Owns `claude-mem status`: whether it works, and what is there."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from watcher import settings as settings_room
from watcher.cli.style import ago, counted, fitted, local_time, say, say_json
from watcher.errors import ClaudeMemError

STALLED_AFTER = 60_000  # milliseconds without a heartbeat, which comes each 5 s


def status(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Say whether a watcher runs, and what is in the memory and what waits.

    Examples:
        claude-mem status
        claude-mem status --json
    """
    from watcher.memory import figures, watchers
    from watcher.memory.database import Database
    from watcher.service import presence
    from watcher.service.events import now

    settings = settings_room.load()
    database = Database.existing(settings.database)
    trouble = ""
    try:
        running = presence.running(settings)
    except ClaudeMemError as error:
        running, trouble = None, f"{error}; {error.hint}"
    with database.read() as connection:
        counts = figures.counts(connection)
        run = watchers.last_run(connection)
    told: dict[str, Any] = {
        "watcher": {"running": running is not None, "last_run": asdict(run) if run else None},
        "database": str(settings.database),
        "agent": settings.agent.name,
        **asdict(counts),
    }
    if as_json:
        say_json(told)
        return
    silence = now() - running.heartbeat_at if running else 0
    if running is not None and silence > STALLED_AFTER:
        _row(
            "watcher",
            f"stalled (pid {running.pid}, last heartbeat {ago(silence)}); try: claude-mem watch --stop",
            colour="red",
        )
    elif running is not None:
        _row("watcher", f"running (pid {running.pid}, heartbeat {ago(silence)})", colour="green")
    else:
        _row("watcher", trouble or "not running; the next session or prompt starts it", colour="yellow")
    _row("memory", str(settings.database))
    _row("agent", settings.agent.name)
    _row("sessions", _listed(counts.sessions))
    waiting = {name: counts.tool_uses[name] for name in ("open", "pending", "failed")}
    _row("queue", f"{_listed(waiting)} tool uses; {counts.provisional_summaries} summaries to do")
    _row("flags", f"{counts.flags_raised} up")
    _row("kept", f"{counted(counts.observations, 'observation')}, {counted(counts.summaries, 'summary', 'summaries')}")
    _row("transcripts", f"{counts.transcripts} followed, {counted(counts.broken_lines, 'broken line')}")
    if counts.last_error:
        _row("trouble", counts.last_error, colour="red")
    last = counts.last_summary
    if last is not None:
        _row("last summary", f"{local_time(last.at)} ({last.source}) in {last.project}")
        _row("", last.request)


def _row(label: str, text: str, *, colour: str = "") -> None:
    line = f"{label:<13} {text}"
    # Trouble is told whole: its end says what to do.
    say(line if colour in ("red", "yellow") else fitted(line), colour=colour)


def _listed(by_status: dict[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in by_status.items())
