"""Owns `claude-mem cleanup-sessions`: giving up sessions that nothing was heard of, by hand."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from watcher.cli.style import ago, counted, say, say_json


def cleanup_sessions(
    max_age: Annotated[
        float, typer.Option("--max-age", help="Hours without activity after which a session has failed.", min=0)
    ] = 24,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show them, and change nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Mark sessions as failed that are still active although nothing was heard of them for long.

    A watcher does so by itself, hourly. What is known of such a session stays, and a prompt makes it active again.

    Examples:
        claude-mem cleanup-sessions
        claude-mem cleanup-sessions --max-age 6 --dry-run
    """
    from watcher import settings as settings_room
    from watcher.agent.extractive import ExtractiveAgent
    from watcher.memory import sessions
    from watcher.memory.database import Database
    from watcher.service.digest import Digest
    from watcher.service.events import now
    from watcher.service.ingest import Ingest
    from watcher.service.lifecycle import Lifecycle

    settings = settings_room.load()
    database = Database.existing(settings.database)
    if dry_run:
        with database.read() as connection:
            found = sessions.orphans(connection, now() - round(max_age * 3_600_000))
    else:
        ingest = Ingest(database, settings.capture, settings.privacy)
        digest = Digest(database, ExtractiveAgent(), settings)
        found = Lifecycle(database, ingest, digest, settings.watch).end_orphans(max_age * 3600)
    if as_json:
        say_json({"dry_run": dry_run, "sessions": [asdict(session) for session in found]})
        return
    for session in found:
        say(f"{session.session_id}  {session.project}  last heard of {ago(now() - session.last_activity_at)}")
    verb = "would be marked" if dry_run else "marked"
    say(f"{counted(len(found), 'session')} {verb} as failed")
