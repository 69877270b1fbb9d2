"""Owns the command line: one command a module. Only here is anything printed, and the process ended.

Somebody waits for each: so a command's module is imported when it is asked for, and imports what it works with when
it is run.
"""

from __future__ import annotations

import errno
import gc
import importlib
import inspect
import io
import keyword
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any, NoReturn

import typer
from typer.main import get_command

from watcher import __version__
from watcher.cli.arguments import Command, Group
from watcher.errors import ClaudeMemError, UsageError

COMMANDS = {  # the module of each, in the order in which they are listed
    "install": "install",
    "status": "status",
    "doctor": "doctor",
    "search": "search",
    "timeline": "timeline",
    "show": "show",
    "sessions": "sessions",
    "projects": "projects",
    "usage": "usage",
    "context": "context",
    "mcp": "mcp",
    "watch": "watch",
    "import": "import_",
    "replay": "replay",
    "export": "export",
    "forget": "forget",
    "retry": "retry",
    "cleanup-sessions": "cleanup_sessions",
    "uninstall": "install",
}
_OF_THE_DISK = {errno.EACCES, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOSPC, errno.EPERM, errno.EROFS}

_LOOK: dict[str, Any] = {"rich_markup_mode": None, "pretty_exceptions_enable": False, "add_completion": False}


def command(name: str) -> Callable[..., None]:
    """Return the function that a command runs."""
    module = importlib.import_module(f"watcher.cli.{COMMANDS[name]}")
    # No function can be called `import`.
    word = f"{name}_" if keyword.iskeyword(name) else name.replace("-", "_")
    function: Callable[..., None] = getattr(module, word)
    return function


def summary(name: str) -> str:
    """Return what a command does, in a sentence or two: the first paragraph of its help."""
    text = inspect.cleandoc(command(name).__doc__ or "")
    return " ".join(text.split("\n\n")[0].split())


class _Commands(Group):
    """All commands by name; each is made when it is asked for."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name in COMMANDS:
            self.add_command(Command(name))  # stands for it where nothing but its name is wanted

    def get_command(self, _context: object, name: str) -> Command | None:
        if name not in COMMANDS:
            return None
        function = command(name)
        # "\b" keeps the lines of the examples as they are.
        text = inspect.cleandoc(function.__doc__ or "").replace("\nExamples:\n", "\n\b\nExamples:\n")
        alone = typer.Typer(**_LOOK)
        alone.command(name, cls=Command, help=text)(function)
        made = get_command(alone)
        assert isinstance(made, Command)  # noqa: S101 - for the type checker
        return made

    def format_commands(self, _context: object, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary(name)) for name in COMMANDS])


app = typer.Typer(
    name="claude-mem",
    help="Persistent memory for Claude Code: what a session did, the next one knows.",
    cls=_Commands,
    no_args_is_help=True,
    **_LOOK,
)


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
    sys.excepthook = _tell_defect
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
    finally:
        gc.freeze()  # Python would look for cycles in all that was imported before it ends, for a tenth of a command


def _tell_defect(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Tell of a defect as Python does: a watcher's stderr is its log, and a message quotes what it is about."""
    import traceback

    from watcher.privacy.redaction import redact

    sys.stderr.write(redact("".join(traceback.format_exception(kind, error, trace))))


def _end(text: str, hint: str, *, code: int) -> NoReturn:
    from watcher.cli.style import shown  # most commands end without

    typer.secho(f"claude-mem: {shown(text)}", fg="red", err=True)
    if hint:
        typer.echo(f"Try: {shown(hint)}", err=True)
    sys.exit(code)
