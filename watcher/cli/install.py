"""Owns `claude-mem install` and `claude-mem uninstall`: saying what they changed, and asking before a purge."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from watcher.cli.style import say, say_json
from watcher.errors import UsageError

if TYPE_CHECKING:
    from watcher.service.install import Change

AsJSON = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")]

_COLOURS = {"remove": "yellow", "delete": "red", "stop": "yellow"}


def install(as_json: AsJSON = False, dry_run: DryRun = False) -> None:
    """Set up the memory and the hooks for all your Claude Code sessions.

    Adds four hooks to Claude Code's `settings.json` and leaves everything else in it as it is; what was there before
    is kept beside it. Run it again after moving or upgrading claude-mem: it changes only what is out of date.

    Examples:
        claude-mem install
        claude-mem install --dry-run
        CLAUDE_CONFIG_DIR=~/.claude-office claude-mem install
    """
    from watcher import settings as settings_room
    from watcher.service import claude_servers
    from watcher.service import install as room

    settings = settings_room.load()
    changes = room.install(settings, dry_run=dry_run)
    _tell(changes, as_json=as_json, dry_run=dry_run, nothing="all is in place; nothing to change")
    if not as_json and not dry_run:
        say("Next: start claude as usual. What a session does, the next one knows.")
        say("      claude-mem status    says whether it works")
        say("      claude-mem import    takes in what was done before")
        if not claude_servers.is_added(settings):
            say("For Claude to search the memory too, where claude-mem is not its plugin, type once:")
            say(f"      {claude_servers.adding()}")


def uninstall(
    purge: Annotated[bool, typer.Option("--purge", help="Delete the memory too.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before deleting.")] = False,
    as_json: AsJSON = False,
    dry_run: DryRun = False,
) -> None:
    """Take the hooks away and end the watcher. The memory stays, unless you say otherwise.

    Takes exactly our hooks out of Claude Code's `settings.json`, and puts back the file from before them, byte by byte,
    where nothing else in it has changed since.

    Examples:
        claude-mem uninstall
        claude-mem uninstall --purge
        claude-mem uninstall --purge --yes
    """
    from watcher import settings as settings_room
    from watcher.service import claude_servers
    from watcher.service import install as room

    settings = settings_room.load()
    if purge and not dry_run and not yes and settings.home.exists():
        room.check_home(settings)
        if not sys.stdin.isatty():
            raise UsageError("--purge asks before it deletes, and nobody can answer", hint="add --yes")
        typer.confirm(f"Delete {settings.home} and all that is remembered in it?", abort=True, err=True)
    changes = room.uninstall(settings, purge=purge, dry_run=dry_run)
    _tell(changes, as_json=as_json, dry_run=dry_run, nothing="nothing is installed; nothing to change")
    if not as_json and claude_servers.is_added(settings):
        say(f"Claude Code still knows the MCP server; to take it away: {claude_servers.removing()}")
    if not as_json and not dry_run and not purge and settings.database.exists():
        say(f"The memory stays in {settings.home}; to delete it: claude-mem uninstall --purge")


def _tell(changes: Sequence[Change], *, as_json: bool, dry_run: bool, nothing: str) -> None:
    if as_json:
        say_json({"dry_run": dry_run, "changes": [asdict(change) for change in changes]})
        return
    if not changes:
        say(nothing)
    elif dry_run:
        say("would")
    for change in changes:
        say(f"{change.what:<8} {change.where}: {change.detail}", colour=_COLOURS.get(change.what, "green"))
