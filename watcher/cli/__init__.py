"""Owns the command line: one command a module. Only here is anything printed, and the process ended."""

from __future__ import annotations

import errno
import inspect
import io
import sys
from typing import NoReturn

import typer

from watcher import __version__
from watcher.cli.cleanup_sessions import cleanup_sessions
from watcher.cli.context import context
from watcher.cli.doctor import doctor
from watcher.cli.install import install, uninstall
from watcher.cli.replay import replay
from watcher.cli.retry import retry
from watcher.cli.status import status
from watcher.cli.watch import watch
from watcher.errors import ClaudeMemError, UsageError

_OF_THE_DISK = {errno.EACCES, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOSPC, errno.EPERM, errno.EROFS}

app = typer.Typer(
    name="claude-mem",
    help="Persistent memory for Claude Code: what a session did, the next one knows.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for _command in (install, status, doctor, context, watch, replay, retry, cleanup_sessions, uninstall):
    _text = inspect.cleandoc(_command.__doc__ or "")
    # "\b" keeps the lines of the examples as they are.
    app.command(
        help=_text.replace("\nExamples:\n", "\n\b\nExamples:\n"),
        short_help=" ".join(_text.split("\n\n")[0].split()),
    )(_command)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"claude-mem {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    """Persistent memory for Claude Code: what a session did, the next one knows."""


def main() -> None:
    """Run the command line; errors come out in two lines: what is wrong, and what to type next."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A pipe or log of another encoding must not end a command for the sake of an arrow.
            stream.reconfigure(encoding="utf-8", errors="replace")
    try:
        app()
    except ClaudeMemError as error:
        _end(str(error), error.hint, code=2 if isinstance(error, UsageError) else 1)
    except OSError as error:
        if error.errno not in _OF_THE_DISK:
            raise  # a defect, whose traceback is wanted
        _end(str(error), "look at the disk and at the permissions there", code=1)


def _end(text: str, hint: str, *, code: int) -> NoReturn:
    typer.secho(f"claude-mem: {text}", fg="red", err=True)
    if hint:
        typer.echo(f"Try: {hint}", err=True)
    sys.exit(code)
