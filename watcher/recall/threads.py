"""Owns open threads: what earlier turns left to do, and nothing later says was done.

Told by words alone, so it errs: what was done under another name stays for a while, and what was only spoken of may
go. Bounded by how many summaries it is given, and by their age.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from watcher.memory.recalled import Observation, Summary
from watcher.recall.lines import one_line
from watcher.recall.words import covered, words

AGE = 90 * 86_400_000  # milliseconds before the last turn: what nobody came back to since was given up
_MOST = 0.6  # of what a thread names, so that a later text has it done
_TOO_LITTLE = 2  # words that say something, or one name; "Continue." is no thread

# Items of a list, sentences, and what stands between semicolons.
_SPLIT = re.compile(r"[\r\n]+|(?<=[.!?])[\"')\]`]*\s+(?=[\"'(`*\[]*[^a-z\s])|(?<=[。！？；])|;\s+|\s+[•*–-]\s+")
_BULLET = re.compile(r"^\s*(?:[-*•–]|\(?\d{1,2}[.)])\s+(?:\[[ xX]?\]\s+)?")
_NUMBERED, _NUMBER = re.compile(r"\s*\(?1[.)]\s"), re.compile(r"(?:^|\s)\(?\d{1,2}[.)]\s+")
_NOTHING = re.compile(
    r"(?i)^(none|nothing|n/?a|nil|no (further|next|open|remaining|more|other)\b.*|nothing (is |was )?(left|open|else).*"
    r"|kein\w*\b.*|nichts\b.*|aucun\w*\b.*|rien\b.*|ningun\w*\b.*|ningún\b.*|nada\b.*|nessun\w*\b.*|无|没有.*|なし|нет)\W*$"
)


class Thread(NamedTuple):
    """One thing that was left to do."""

    text: str
    at: int  # epoch of the turn that left it
    origin: str = ""  # where that came from


def open_threads(summaries: Sequence[Summary], head: Summary, seen: Sequence[Observation]) -> Iterator[Thread]:
    """Yield what is still open, the newest first.

    Take a project's summaries and observations, both newest first, and which summary is told whole: its own next
    steps are told there.
    """
    told = list(items(head.next_steps))
    since = summaries[0].at - AGE if summaries else 0
    for summary in summaries:
        if summary.id == head.id or summary.at < since:
            continue
        later = [text for one in summaries if one.at > summary.at for text in (one.completed, one.learned) if text]
        later += [one.title for one in seen if one.at > summary.at]
        for text in items(summary.next_steps):
            if not _is_done(text, later) and not _is_done(text, told):
                told.append(text)
                yield Thread(text, summary.at, summary.origin)


def items(next_steps: str) -> Iterator[str]:
    """Yield the steps of a text one by one."""
    listed = _NUMBER.split(next_steps) if _NUMBERED.match(next_steps) else [next_steps]
    for part in (part for one in listed for part in _SPLIT.split(one)):
        text = _BULLET.sub("", part.strip()).strip().rstrip(";,")
        named = words(text)
        if (len(named) >= _TOO_LITTLE or max(named.values(), default=0) > 1) and not _NOTHING.match(text):
            yield one_line(text)


def _is_done(text: str, later: Iterable[str]) -> bool:
    return any(covered(text, by=one) >= _MOST for one in later)
