"""Owns `claude-mem doctor`: the debugging checklist as a command."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from watcher.cli.style import counted, say, say_json, wrapped

if TYPE_CHECKING:
    from watcher.service.diagnosis.finding import Finding

PATIENCE = 1.0  # seconds of one check before it is said which one it is
_COLOURS = {"ok": "green", "warning": "yellow", "wrong": "red"}
_INDENT = 23  # columns before the text


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: link, state, text and hint of each.")] = False,
) -> None:
    """Check every link of the chain, and say of each that is not ok what to type next.

    Changes nothing, starts no watcher and makes no request. Ends with 1 where something is wrong; what is merely
    worth knowing is a warning.

    Examples:
        claude-mem doctor
        claude-mem doctor --json | jq '.[] | select(.state != "ok")'
    """
    from watcher.service.diagnosis import chain
    from watcher.service.diagnosis.finding import Case

    found: list[Finding] = []
    for link, look in chain.steps(Case()):
        with _progress(link):
            findings = look()
        found += findings
        for finding in findings if not as_json else ():
            _tell(finding)
    if as_json:
        say_json([asdict(finding) for finding in found])
    else:
        _conclude(found)
    if any(finding.state == "wrong" for finding in found):
        raise typer.Exit(1)


def _tell(finding: Finding) -> None:
    lines = wrapped(f"{finding.state:<7}  {finding.link:<12}  ", finding.text)
    word = str(finding.state)
    say(lines[0].removeprefix(word), head=word, colour=_COLOURS[word])
    for line in lines[1:] + (wrapped(" " * _INDENT + "Try: ", finding.hint) if finding.hint else []):
        say(line)


def _conclude(found: list[Finding]) -> None:
    number = Counter(str(finding.state) for finding in found)
    if number["wrong"]:
        rest = f", {counted(number['warning'], 'warning')}" if number["warning"] else ""
        say(f"{counted(number['wrong'], 'thing')} wrong{rest}", colour="red")
    elif number["warning"]:
        say(f"nothing wrong, {counted(number['warning'], 'warning')}", colour="yellow")
    else:
        say("all is well", colour="green")


@contextmanager
def _progress(link: str) -> Iterator[None]:
    """Say on a terminal what is being looked at, where that takes a while."""
    shown = threading.Event()

    def show() -> None:
        shown.set()
        sys.stderr.write(f"looking at: {link} …")
        sys.stderr.flush()

    timer = threading.Timer(PATIENCE, show)
    timer.daemon = True
    if sys.stderr.isatty():
        timer.start()
    try:
        yield
    finally:
        timer.cancel()
        if timer.is_alive():
            timer.join()
        if shown.is_set():
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
