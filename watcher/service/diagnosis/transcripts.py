"""Owns the check of the transcripts: how many there are, and how far behind them the memory is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from watcher.memory import checkpoints, watchers
from watcher.service.admission import Admission
from watcher.service.diagnosis.finding import Case, Finding, State, counted, size
from watcher.service.ingest import source_of

SETTLED = 60_000  # milliseconds after which what was written to a transcript should be taken in
YOUNG = 3_600_000  # milliseconds: what was written this long before the first watcher ran is taken in too
TAIL = 1 << 20  # bytes looked through for a whole line that was not taken in
SHOWN = 3


@dataclass(frozen=True, slots=True)
class _Behind:
    path: Path
    bytes: int
    written_at: int  # epoch


def transcripts(case: Case) -> Iterator[Finding]:
    """Is all that was written taken in?"""
    with case.read() as connection:
        reached = checkpoints.reached(connection)
        begun = watchers.first_start(connection)
    since = (begun or case.now) - YOUNG
    admission = Admission(case.settings.privacy, case.settings.home)
    found = behind = older = left_out = 0
    late: list[_Behind] = []
    for path in _paths(case.settings.projects):
        try:
            status = path.stat()
        except OSError:
            continue  # it went while we looked
        found += 1
        written_at = status.st_mtime_ns // 1_000_000
        offset, _ = reached.get(str(path), (None, 0))
        if offset is None and written_at < since:
            older += 1
            continue
        missing = _missing(path, offset or 0, status.st_size)
        if missing and _is_left_out(admission, path):
            left_out += 1
            continue
        behind += missing > 0
        if missing and case.now - written_at > SETTLED:
            late.append(_Behind(path, missing, written_at))
    whole = found - older - behind - left_out
    known = f"{counted(found, 'transcript')} in {case.settings.projects}, {whole} taken in wholly"
    if older:
        known += f", {older} older than the memory and left alone (claude-mem import takes them in)"
    if left_out:
        known += f", {left_out} left out ([privacy] in {case.settings.config} says why)"
    if not late:
        yield Finding("transcripts", State.OK, f"{known}, {behind} being written" if behind else known)
        return
    late.sort(key=lambda one: one.written_at, reverse=True)
    names = ", ".join(f"{one.path.parent.name}/{one.path.name} by {size(one.bytes)}" for one in late[:SHOWN])
    text = f"{known}; {len(late)} behind: {names}"
    if case.is_watched:
        log = case.settings.logs / "watcher.log"
        yield Finding("transcripts", State.WRONG, text, f"tail {log}; claude-mem watch --stop")
    else:
        yield Finding("transcripts", State.WARNING, text, "claude-mem watch --background (it reads what it missed)")


def _is_left_out(admission: Admission, path: Path) -> bool:
    try:
        return admission.leaves_out(source_of(path))
    except OSError:
        return False


def _paths(projects: Path) -> Iterator[Path]:
    yield from projects.glob("*/*.jsonl")
    yield from projects.glob("*/*/subagents/**/agent-*.jsonl")


def _missing(path: Path, offset: int, length: int) -> int:
    """Return how many bytes behind an offset are to be taken in; a last line that is torn is not."""
    if length < offset:
        return length  # it is another file now, and will be read anew
    if length == offset:
        return 0
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return length - offset if length - offset > TAIL or b"\n" in file.read(TAIL) else 0
    except OSError:
        return length - offset
