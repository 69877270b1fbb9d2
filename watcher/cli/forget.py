"""Owns `claude-mem forget`: what is meant, and the question before."""

from __future__ import annotations

import shlex
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from watcher.cli import arguments, forgotten
from watcher.cli.style import say, say_json
from watcher.errors import UsageError

if TYPE_CHECKING:
    from watcher.memory.mentions import Places
    from watcher.memory.preview import Preview
    from watcher.memory.selection import Wanted
    from watcher.settings import Settings

_SLOW = 1.0  # seconds, after which it is said what is done
_WHAT = "claude-mem forget '#12', --session ID, --project DIR, --text WORDS, --since DATE or --until DATE"


def forget(
    ids: Annotated[
        list[str] | None, typer.Argument(help="What search prints: #12, S3, P4.", metavar="ID", show_default=False)
    ] = None,
    session: Annotated[
        str | None, typer.Option("--session", help="All of the session whose id begins so.", metavar="ID")
    ] = None,
    project: Annotated[
        str | None, typer.Option("--project", help="All of a project: its folder, or its name.", metavar="DIR")
    ] = None,
    text: Annotated[
        str | None, typer.Option("--text", help="Turns in which this stands, whatever the case.", metavar="WORDS")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", help="Turns not older: 2026-11-01, today, 12h, 3d, 2w.", metavar="DATE")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", help="Turns not newer; a day is meant whole.", metavar="DATE")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would go, and change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: what went, and what may still hold it.")] = False,
) -> None:
    """Forget something for good: it is gone from the memory's file, and never taken in again from a transcript.

    A turn goes whole: what was asked, used and said in it, its observations and its summary. A prompt or a summary
    goes with its turn, an observation (#12) with the tool uses that it rests on and the summary, which is made anew of
    what is left. Options together mean what all of them mean. What a session or a project does afterwards is new.

    There is no way back: "claude-mem export --output FILE" before keeps a copy. Transcripts are Claude Code's, and not
    touched; they and other copies are named.

    Examples:
        claude-mem forget '#12' P4
        claude-mem forget --text hunter2 --dry-run
        claude-mem forget --project . --since yesterday
        claude-mem forget --session 2b8f1c16 --yes --json
    """
    from watcher import settings as settings_room

    settings = settings_room.load()
    wanted = _wanted(settings, ids or [], session, project, text, since, until)
    preview = _preview(settings, wanted)
    # Of a session, a project or a span there may be more to keep out than was ever taken in.
    if dry_run or (preview.is_empty and wanted.text):
        if not dry_run:
            _finish(settings)
        _show(settings, wanted, preview, dry_run=dry_run, as_json=as_json)
        return
    if not yes:
        if as_json or not sys.stdin.isatty():
            raise UsageError("forget asks before, and nobody is there to answer", hint="add --yes, or --dry-run")
        forgotten.show_preview(preview, wanted)
        say("There is no way back. What keeps a copy: claude-mem export --output FILE")
        if not _is_confirmed():
            say("nothing was forgotten")
            raise typer.Exit(1)
    _forget(settings, wanted, preview, as_json=as_json)


def _is_confirmed() -> bool:
    """Ask; who interrupts has said no."""
    try:
        return typer.confirm("Forget it?", default=False)
    except typer.Abort:
        say("")
        return False


def _wanted(
    settings: Settings,
    ids: list[str],
    session: str | None,
    project: str | None,
    text: str | None,
    since: str | None,
    until: str | None,
) -> Wanted:
    """Return what is meant.

    Raises:
        UsageError: nothing is, or ids and something else, or what is no id, or an option is empty.
        ClaudeMemError: there is no such session or project.
    """
    from watcher.cli import dates
    from watcher.memory import browse, lookup
    from watcher.memory.selection import Wanted

    options = {"--session": session, "--project": project, "--text": text, "--since": since, "--until": until}
    arguments.refuse_empty(options, _WHAT)
    has_filter = any(value is not None for value in options.values())
    if ids and has_filter:
        raise UsageError("ids name what goes: they take no other options", hint=_WHAT)
    if not ids and not has_filter:
        raise UsageError("forget what?", hint=_WHAT)
    refs = tuple(browse.ref(one) for one in ids)
    for given, found in zip(ids, refs, strict=True):
        if found is None:
            hint = f"claude-mem forget --session {shlex.quote(given)}, or an id such as '#12'"
            raise UsageError(f"{given!r} is no id", hint=hint)
    moment = time.time_ns() // 1_000_000
    begin = dates.since("--since", since, moment) if since else None
    end = dates.until("--until", until, moment) if until else None
    if begin is not None and end is not None and begin > end:
        raise UsageError("--since is later than --until", hint="give the earlier one to --since")
    with lookup.opened(settings.database) as connection:
        session_id = browse.session(connection, session).session_id if session else ""
        folder = arguments.known_project(connection, project) if project is not None else None
    return Wanted(tuple(one for one in refs if one), session_id, folder, (text or "").strip(), begin, end)


def _preview(settings: Settings, wanted: Wanted) -> Preview:
    from watcher.memory import lookup
    from watcher.memory.preview import preview

    with lookup.opened(settings.database) as connection:
        return preview(connection, wanted, forgotten.SHOWN)


def _forget(settings: Settings, wanted: Wanted, preview: Preview, *, as_json: bool) -> None:
    from watcher.memory.database import Database
    from watcher.service import forgetting

    database = Database.existing(settings.database)
    try:
        with _told_when_slow() as progress:
            done = forgetting.forget(settings, database, wanted, progress=progress)
    finally:
        database.close()
    found, places = _copies(settings, wanted, preview), _places(settings, wanted)
    if as_json:
        told = {**_said(preview), "is_overwritten": done.is_overwritten, "places": places, "copies": found}
        say_json({"dry_run": False, **told})
        return
    say(f"forgotten: {forgotten.amounts(preview)}", colour="green")
    if not done.is_overwritten:
        said = "What is free in the file now could not be overwritten: others read there, or the disk is full."
        say(f"{said} A watcher does it once it can, and so does the next forget.", colour="yellow")
    forgotten.show_places(places)
    forgotten.show_copies(found)


@contextmanager
def _told_when_slow() -> Iterator[Callable[[str], None]]:
    """Give what is told what is done next, and says so in a terminal where it takes long."""
    said: list[str] = []
    is_slow = threading.Event()

    def tell() -> None:
        if sys.stderr.isatty():
            typer.echo(f"{said[-1] if said else 'beginning'} …", err=True)

    def fall_behind() -> None:
        is_slow.set()
        tell()

    def go_on(what: str) -> None:
        said.append(what)
        if is_slow.is_set():
            tell()

    timer = threading.Timer(_SLOW, fall_behind)
    timer.start()
    try:
        yield go_on
    finally:
        timer.cancel()


def _finish(settings: Settings) -> None:
    """Overwrite what was forgotten before and could not be then."""
    from watcher.memory.database import Database
    from watcher.service import forgetting

    database = Database.existing(settings.database)
    try:
        forgetting.finish(database)
    finally:
        database.close()


def _show(settings: Settings, wanted: Wanted, preview: Preview, *, dry_run: bool, as_json: bool) -> None:
    """Show what would go."""
    found = [] if preview.is_empty else _copies(settings, wanted, preview)
    places = _places(settings, wanted)
    if as_json:
        say_json({"dry_run": dry_run, **_said(preview), "places": places, "copies": found})
    elif preview.is_empty:
        say("nothing of it is in the memory" if places is None or not any(places) else "it stands in no turn")
        forgotten.show_places(places)
    else:
        forgotten.show_preview(preview, wanted)
        forgotten.show_places(places, is_over=False)
        forgotten.show_copies(found)


def _said(preview: Preview) -> dict[str, Any]:
    return {"forgotten": preview.counts, "lines": list(preview.lines), "made_anew": preview.anew}


def _places(settings: Settings, wanted: Wanted) -> Places | None:
    """Return where what was meant by a text stands, whatever of it is forgotten by that; None where none was given."""
    from watcher.memory import lookup, mentions

    if not wanted.text:
        return None
    with lookup.opened(settings.database) as connection:
        return mentions.places(connection, wanted.text)


def _copies(settings: Settings, wanted: Wanted, preview: Preview) -> list[dict[str, str]]:
    from watcher.service import forgetting

    found = forgetting.copies(settings, list(preview.transcripts), wanted.text)
    return [{"path": str(path), "what": what} for path, what in found]
