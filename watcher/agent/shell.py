"""Owns the reading of shell commands: whether one only looks, and which files it moves, deletes or takes back.

By their words alone; what a script does is not known.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

_QUOTED = re.compile(r"'[^']*'|\"(?:[^\"\\]|\\.)*\"", re.DOTALL)
_SEPARATOR = re.compile(r"&&|\|\|?|;|\n")
_HARMLESS_REDIRECTION = re.compile(r"\d?>&\d|&?\d?>\s*/dev/null")
_LOOKS = re.compile(
    r"\s*(?:(?:ls|cd|pwd|cat|head|tail|echo|which|type|wc|file|stat|tree|find|grep|rg|egrep|fd|ag|sleep|sort|uniq|cut|tr"
    r"|jq|nl|du|diff|column|awk|sed(?=\s+-n)|true)\b(?!.*\s-(?:delete|exec\b|i\b))"
    r"|git(?:\s+-C\s+\S+|\s+--no-pager)?\s+(?:log|status|diff|show|blame|grep|ls-files|rev-parse|shortlog)\b)[^>]*$"
)
_TRIES = re.compile(
    r"\s*(?:\S*/)?(?:python[\d.]*\s+-c|python[\d.]*\s+-\s*<<|node\s+(?:-e|-p|--eval|--print)|ruby\s+-e|perl\s+-\w*e|php\s+-r)\b"
)
_LEADING = re.compile(r"^\s*cd\s+\S+\s*&&\s*")
_TRAILING = re.compile(r"(?<!\s)\s*(?:2>&1|\|\s*(?:tail|head|cat)\b[^|;&]*|;\s*echo\b[^|;&]*)\s*$")
_MESSAGE = re.compile(
    r"git commit\b[^\n]*?\s-\w*m\s*(?:\"\$\(cat <<-?\s*['\"]?\w+['\"]?\n\s*([^\n]+)|\"([^\"\n]+)|'([^'\n]+))"
)


def only_looks(command: str) -> bool:
    """Whether a command shows something and does nothing."""
    bare = _HARMLESS_REDIRECTION.sub("", _QUOTED.sub("_", command))
    parts = [part for part in _SEPARATOR.split(bare) if part.strip()]
    return bool(parts) and "$(" not in command and all(_LOOKS.match(part) for part in parts)


def only_tries(command: str) -> bool:
    """Whether a command runs a few lines of code that are kept nowhere: an experiment."""
    return bool(_TRIES.match(essence(command)))


def essence(command: str) -> str:
    """Return a command without what only shapes its output: the same thing run again has the same essence."""
    text, before = _LEADING.sub("", command), ""
    while text != before:
        text, before = _TRAILING.sub("", text), text
    return " ".join(text.split())


def commits(command: str) -> Iterator[str]:
    """Yield the first line of each commit message."""
    for match in _MESSAGE.finditer(command):
        yield next(filter(None, match.groups())).strip()


def moves(command: str) -> Iterator[tuple[str, str]]:
    """Yield what is moved, and where to."""
    for name, arguments in _calls(command):
        if name in ("mv", "git mv") and len(arguments) == 2:
            yield arguments[0], arguments[1]


def deletions(command: str) -> Iterator[str]:
    """Yield what is deleted."""
    for name, arguments in _calls(command):
        if name in ("rm", "git rm", "unlink"):
            yield from arguments


def takes_back(command: str) -> Iterator[str]:
    """Yield the files and folders of which uncommitted changes are taken back, "." for all there are."""
    for name, arguments in _calls(command):
        if name in ("git checkout", "git restore"):
            yield from ("." if argument == ":/" else argument for argument in arguments)
        elif name == "git reset hard" or (name == "git stash" and arguments[:1] in ([], ["push"])):
            yield "."


def _calls(command: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each command in a line by its name, git's with what it is to do, and the arguments that are no options."""
    for part in re.split(r"&&|;|\n", command):
        try:
            words = shlex.split(part)
        except ValueError:  # an open quote: a here-document, or a text that was cut
            continue
        options = {word for word in words if word.startswith("-")}
        words = [word for word in words if word not in options]
        if not words or "--staged" in options or "--cached" in options:
            continue
        length = 2 if words[0] == "git" and len(words) > 1 else 1
        name = " ".join(words[:length]) + (" hard" if "--hard" in options else "")
        yield name, words[length:]
