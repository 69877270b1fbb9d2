"""Owns which files are private by the settings, and which tool uses name one.

The patterns are those of a `.gitignore`, seen from the project's folder, with three differences on the side of
caution: one with a slash in its middle counts at any depth, as a session may run in any folder; one that begins with
`/`, `~/` or a drive is of a whole path; and capitals make no difference, whatever the platform.

No file is looked at: a symbolic link, a variable, or a wildcard that a shell expands may name a file in ways that are
not seen here.
"""

from __future__ import annotations

import itertools
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from watcher.errors import UsageError

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

# What holds keys and logins, whatever the settings say; those of one kind together.
ALWAYS = (
    *(".env", ".env.*", "!.env.dist", "!.env.example", "!.env.sample", "!.env.template"),
    # Not *.key: `event.key` is no file, and of one that is, the key is known by itself.
    *("*.jks", "*.kdbx", "*.p12", "*.pem", "*.pfx"),
    *("id_dsa*", "id_ecdsa*", "id_ed25519*", "id_rsa*", ".gnupg/**", ".ssh/**"),
    *(".aws/credentials", ".docker/config.json", ".kube/config", ".git-credentials", ".npmrc", ".pypirc"),
    *(".htpasswd", ".netrc", "_netrc", ".pgpass"),
)

_COMMANDS = ("command", "cmd", "script")  # by whichever of these names a tool, also another program's, takes one
_OF_A_FILE = re.compile(r"path|file|folder|director|^(?:dir|glob|uri|url|source|destination)$", re.IGNORECASE)
_PATTERN_TOOLS = frozenset({"Glob"})  # whose `pattern` is one of paths
LONGEST_PATH = 4096  # characters; what is longer is no path
_BELOW = "/\ufffd"  # anything below: who names a folder means what is in it

# Of a command line: what stands between spaces and signs, quotes and all; and what may be put together in one of these.
_WORD = re.compile(r"""(?:[^\s"'`;|&()<>]|"[^"]*"|'[^']*')+""")
_PART = re.compile(r"[\s;|&()<>`=:,@{}\"'\[\]]+")
# What a commit says of itself: words, and no paths, but where a shell puts something into them.
_MESSAGE = re.compile(r"""(?<=\s)(?:-[a-z]{0,3}m|--message)[ =]?(?:"[^"$`]*"|'[^']*')""")
_HOME = re.compile(r"\$\{?HOME\}?|\$env:(?:USERPROFILE|HOME)|%USERPROFILE%|~(?=[\\/]|$)", re.IGNORECASE)
_DRIVE = re.compile(r"^/?([a-z]):(?=/|$)|^/([a-z])(?=/)")  # as Windows says it, in a URI, and as its Unix shells do
_WINDOWS_LEAVES_OUT = re.compile(r"(?::[^/]*)?[ .]*$")  # of the end of a file's name
_BREAK = re.compile(r"[\r\n]")  # may stand in a name; a pattern's wildcards end there
_WILD = re.compile(r"[*?\[\]{}!]")
_LITERAL = re.compile(r"[^*?\[\]/\\!]{2,}")


class Ignored:
    """Knows the patterns."""

    def __init__(self, added: Sequence[str], home: Path | None = None) -> None:
        """Take what comes after the patterns that are always there, and the user's home, this process's unless told.

        Raises:
            UsageError: one is none.
        """
        self._home = _slashed(str(home or Path.home())).lower()
        patterns = (*ALWAYS, *added)
        lines = [self._line(pattern) for pattern in patterns]
        _check(lines, patterns)
        self._anywhere = _compiled(line for line in lines if not _is_whole(line))
        self._whole_paths = _compiled(line for line in lines if _is_whole(line))
        self._needles = _needles(lines)
        self._last_cwd = ("", "", False)

    def names_one(self, tool: str, given: Mapping[str, object], root: str = "", cwd: str = "") -> bool:
        """Say whether a call of a tool with these arguments names a file that is private.

        Take the project's folder, and the one that the tool was called in; empty where they are not known.
        """
        is_inside = self._is_inside(root, cwd)
        named = itertools.chain(
            _paths(tool, given),
            *(
                self._words(command)
                for name in _COMMANDS
                if isinstance(command := given.get(name), str) and (is_inside or self._may_name(command))
            ),
        )
        return any((is_inside or self._may_name(name)) and self._is_private(name, root, cwd) for name in named)

    def _is_inside(self, root: str, cwd: str) -> bool:
        """Say whether a folder is private itself: then any name in it is."""
        if self._last_cwd[:2] != (root, cwd):
            self._last_cwd = (root, cwd, bool(cwd) and self._may_name(cwd) and self._is_private(cwd, root, ""))
        return self._last_cwd[2]

    def _may_name(self, text: str) -> bool:
        """Say at a glance whether a text can name one: it is asked about everything that is done."""
        if self._needles is None:
            return True
        plain = text.lower().replace('"', "").replace("'", "")
        bare = plain.replace("\\", "") if "\\" in plain else plain
        return any(needle in plain or needle in bare for needle in self._needles)

    def _words(self, command: str) -> Iterator[str]:
        """Yield what of a command line may be a path."""
        if "commit" in command:
            command = _MESSAGE.sub("", command)
        command = _HOME.sub(lambda _: self._home, command)
        for found in _WORD.finditer(command):
            word = found[0].replace('"', "").replace("'", "")
            yield word
            yield from filter(None, _PART.split(found[0]))
            yield from filter(None, _PART.split(word))
            if "\\" in word:
                yield word.replace("\\", "")

    def _is_private(self, name: str, root: str, cwd: str) -> bool:
        if not 0 < len(name) <= LONGEST_PATH:
            return False
        path = self._whole(name, cwd)
        base = self._whole(root, "").rstrip("/") + "/" if root else ""
        for one in {path, _WILD.sub("", path), _WINDOWS_LEAVES_OUT.sub("", path)}:
            inside = one[len(base) :] if base and one.startswith(base) else "" if one + "/" == base else one
            if _matches(self._whole_paths, one) or _matches(self._anywhere, inside):
                return True
        return False

    def _whole(self, name: str, cwd: str) -> str:
        """Return a path in one spelling: from the root where that is known, with slashes, in small letters."""
        path = _slashed(_HOME.sub(lambda _: self._home, name).lower().removeprefix("file://"))
        path = posixpath.join(self._whole(cwd, ""), path) if cwd else path
        return posixpath.normpath(_BREAK.sub("_", path))

    def _line(self, pattern: str) -> str:
        """Return a pattern as a line of a `.gitignore` at the root of the file system."""
        sign, plain = ("!", pattern[1:]) if pattern.startswith("!") else ("", pattern)
        plain = _HOME.sub(lambda _: self._home, plain).lower() if plain[:1] in "~$%" else plain.lower()
        slashed = plain.replace("\\", "/")  # but for a drive's path a backslash is an escape
        whole = _DRIVE.sub(_drive, slashed) if _DRIVE.match(slashed) else plain
        if whole.startswith(("/", "**/")) or "/" not in whole.rstrip("/"):
            return sign + whole
        return f"{sign}**/{whole}"


def _paths(tool: str, given: Mapping[str, object]) -> Iterator[str]:
    """Yield what of a tool's arguments may be a path."""
    for key, value in given.items():
        if _OF_A_FILE.search(key) or (key == "pattern" and tool in _PATTERN_TOOLS):
            values = value if isinstance(value, list) else [value]
            yield from (one for one in values if isinstance(one, str) and len(one) <= LONGEST_PATH)


def _slashed(path: str) -> str:
    return _DRIVE.sub(_drive, path.replace("\\", "/"))


def _drive(found: re.Match[str]) -> str:
    return f"/{found[1] or found[2]}:"


def _is_whole(line: str) -> bool:
    return line.removeprefix("!").startswith("/")


def _matches(spec: GitIgnoreSpec | None, path: str) -> bool:
    if spec is None or not path.strip("/"):
        return False
    return spec.match_file(path) or spec.match_file(path.rstrip("/") + _BELOW)


def _compiled(lines: Iterable[str]) -> GitIgnoreSpec | None:
    found = list(lines)
    if not found:
        return None
    from pathspec import GitIgnoreSpec  # only who takes something in needs it

    return GitIgnoreSpec.from_lines(found)


def _check(lines: Sequence[str], patterns: Sequence[str]) -> None:
    for line, pattern in zip(lines, patterns, strict=True):
        try:
            spec = _compiled([line])
        except (ValueError, re.error):
            spec = None
        if spec is None or [one.include for one in spec.patterns] in ([], [None]):
            hint = 'write them as in a .gitignore: ignore = ["**/.env", "secrets/**", "*.pem"]'
            raise UsageError(f"[privacy] ignore: {pattern!r} is no pattern", hint=hint)


def _needles(lines: Iterable[str]) -> tuple[str, ...] | None:
    """Return what stands in anything that one of the patterns matches; None where one of them has no such thing."""
    found: set[str] = set()
    for line in lines:
        if line.startswith("!"):
            continue
        parts = _LITERAL.findall(line)
        if not parts:
            return None
        found.add(max(parts, key=lambda part: (part.startswith("."), len(part))))
    return tuple(one for one in found if not any(other != one and other in one for other in found))
