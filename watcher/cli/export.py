"""Owns `claude-mem export`: the memory as JSON Lines, or as Markdown for people."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from watcher.cli import arguments
from watcher.errors import UsageError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable

    from watcher.memory.search_filters import Filters

_FORMATS = ("jsonl", "markdown")
_WHAT = "claude-mem export --project DIR, --session ID, --since DATE, --until DATE or --output FILE"


def export(
    format_: Annotated[
        str, typer.Option("--format", help="jsonl, or markdown for people.", metavar="FORMAT")
    ] = "jsonl",
    output: Annotated[
        str | None, typer.Option("--output", help="Write to a file, for your eyes only; - is stdout.", metavar="FILE")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    project: Annotated[
        str | None, typer.Option("--project", help="Only of a project: its folder, or its name.", metavar="DIR")
    ] = None,
    session: Annotated[
        str | None, typer.Option("--session", help="Only of the session whose id begins so.", metavar="ID")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", help="Not older: 2026-11-01, today, 12h, 3d, 2w.", metavar="DATE")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", help="Not newer: a day counts to its end.", metavar="DATE")
    ] = None,
) -> None:
    """Print the memory as JSON Lines, one object a row, or as Markdown for people.

    A session comes first, then its prompts, summaries and observations; "kind" says which an object is, "at" when it
    was, in milliseconds since 1970, and "session_id" what belongs together.

    Examples:
        claude-mem export --output memory.jsonl
        claude-mem export --project . --format markdown | less
        claude-mem export --since 2w | jq -r 'select(.kind == "observation").title'
    """
    from watcher import settings as settings_room
    from watcher.memory import exported, lookup

    if format_ not in _FORMATS:
        raise UsageError(f"no format {format_!r}", hint=f"formats are {', '.join(_FORMATS)}")
    narrowed = {"--project": project, "--session": session, "--since": since, "--until": until, "--output": output}
    arguments.refuse_empty(narrowed, _WHAT)
    with lookup.opened(settings_room.load().database) as connection:
        filters = _filters(connection, project, session, since, until)
        with _opened(Path(output) if output not in (None, "-") else None, is_forced=force) as file:
            _write(file, _TEXTS[format_](exported.rows(connection, filters)))


def _filters(
    connection: sqlite3.Connection, project: str | None, session: str | None, since: str | None, until: str | None
) -> Filters:
    from watcher.cli import dates
    from watcher.memory import browse
    from watcher.memory.search_filters import Filters

    moment = time.time_ns() // 1_000_000
    return Filters(
        project=arguments.known_project(connection, project) if project is not None else None,
        session=browse.session(connection, session).session_id if session else None,
        since=dates.since("--since", since, moment) if since else None,
        until=dates.until("--until", until, moment) if until else None,
    )


@contextmanager
def _opened(path: Path | None, *, is_forced: bool) -> Iterator[IO[bytes]]:
    """Give what is written to: a file of which a half is never left under its name, or stdout.

    Raises:
        UsageError: there is a file of that name, or no folder for it.
    """
    if path is None:
        yield sys.stdout.buffer
        return
    path = path.expanduser()
    if path.exists() and (not is_forced or not path.is_file()):
        raise UsageError(f"{path} is there already", hint="--force to write over it, or name another file")
    if not path.parent.is_dir():
        raise UsageError(f"{path.parent} is no folder", hint=f"mkdir -p {path.parent}, or name another file")
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)  # of an export that was killed
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "wb") as file:
            yield file
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _write(file: IO[bytes], texts: Iterable[bytes]) -> None:
    try:
        for text in texts:
            file.write(text)
        file.flush()
    except BrokenPipeError:
        # Whoever reads has had enough. Python would complain as it ends, when it flushes what is left.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _json_lines(rows: Iterable[dict[str, object]]) -> Iterator[bytes]:
    import orjson

    for row in rows:
        yield orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)


def _markdown(rows: Iterable[dict[str, object]]) -> Iterator[bytes]:
    from watcher.recall.markdown import markdown

    for text in markdown(rows):
        yield text.encode("utf-8", "replace")


_TEXTS: dict[str, Callable[[Iterable[dict[str, object]]], Iterator[bytes]]] = {
    "jsonl": _json_lines,
    "markdown": _markdown,
}
