"""Owns `claude-mem retry`: having the agent asked again for what it was given up for."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from watcher.cli.style import counted, say, say_json


def retry(as_json: Annotated[bool, typer.Option("--json", help="Print JSON: how many.")] = False) -> None:
    """Ask the agent again for the tool uses and summaries that it was given up for.

    After some failed tries a tool use counts as failed, and a summary stays provisional. Mend what was wrong first:
    `claude-mem doctor` says what.

    Examples:
        claude-mem retry
        claude-mem retry --json
    """
    from watcher import settings as settings_room
    from watcher.memory import figures, lookup, outcomes
    from watcher.memory.database import Database, driver
    from watcher.service.diagnosis.life import Life, life
    from watcher.service.events import now

    settings = settings_room.load()
    database = Database.existing(settings.database)
    most = settings.agent.max_attempts
    with database.write() as connection:
        forgotten = figures.given_up(driver(connection), most).forgotten
        retried = outcomes.retry(connection, most)
        run = lookup.last_run(driver(connection))
    if as_json:
        say_json({**asdict(retried), "forgotten": forgotten})
        return
    if forgotten:
        say(f"{counted(forgotten, 'tool use')} failed for good: nothing is kept that could be tried", colour="yellow")
    if not retried.tool_uses and not retried.summaries:
        say("nothing to try again")
        return
    tool_uses = counted(retried.tool_uses, "tool use")
    say(
        f"{tool_uses} and {counted(retried.summaries, 'summary', 'summaries')} wait for the agent again", colour="green"
    )
    if life(settings.lock, run, now()) in (Life.ALIVE, Life.STARTING):
        say("The watcher asks it by itself; claude-mem status says how far it is.")
    else:
        say("Next: claude-mem watch --background (a prompt in claude starts it too)")
