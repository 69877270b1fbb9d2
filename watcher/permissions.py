"""Owns who may look at the memory's files and write them: their owner alone, whatever the umask and whoever makes them.

What is in the home is believed: it says which program is started. So nothing is read or written where another user can
write, and no link that somebody may have planted is followed. `hooks/hook.py` looks at the same for the hooks.

On Windows nothing is done: the home lies in the user's profile, whose access list keeps other users out, and what
is made in a folder inherits that. Who points CLAUDE_MEM_HOME elsewhere chooses that folder's access list, too.
"""

from __future__ import annotations

import os
import shlex
import stat
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from watcher.errors import ClaudeMemError

FOLDERS = ("data", "logs", "agent")  # of a home
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)


class OpenToOthersError(ClaudeMemError):
    """The memory is another user's, or lies where another user could write."""


def check(home: Path) -> None:
    """Make sure that a home, which need not exist, is its user's alone to write into.

    Raises:
        OpenToOthersError: it is not, or a link of another user's leads there.
    """
    if sys.platform == "win32":
        return
    for path in _on_the_way(home):
        if _is_link_of_another(path):
            raise OpenToOthersError(
                f"{path} is a symbolic link that another user has made: it is not followed",
                hint=f"ls -ld {path}; then remove it, or point CLAUDE_MEM_HOME at another folder",
            )
    _check_place(home)
    for name in FOLDERS:
        _check_place(home / name)
    _check_settings(home / "config.toml")
    for end in ("", "-wal", "-shm"):
        database = home / "data" / f"claude-mem.db{end}"
        _check_file(database)
        # An older version may have made it wide, and the folder around it has been closed since: that is soon narrowed.
        if _can_enter(home) and _can_enter(home / "data"):
            _check_place(database)


def close(home: Path) -> None:
    """Narrow what is in a home to its owner, where an older version or another program has made it wider.

    Raises:
        OpenToOthersError: something in it is a symbolic link, or another user's.
    """
    if sys.platform == "win32":
        return
    check(home)
    for path in (home, home / "config.toml", *(home / name for name in FOLDERS)):
        _narrow(path)
    for path in (*_below(home / "data"), *_below(home / "logs")):
        _check_file(path)
        _narrow(path)


def make_private_folder(path: Path) -> None:
    """Create a folder, and its parents, that only its owner can enter (0700), or narrow one that is there.

    Raises:
        OSError: it cannot be, or is another user's.
    """
    for missing in reversed([folder for folder in path.parents if not folder.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)
    path.mkdir(mode=0o700, exist_ok=True)
    if sys.platform != "win32":
        if path.stat().st_uid != os.geteuid():
            raise PermissionError(1, "belongs to another user", str(path))  # root could, but would not know whose it is
        path.chmod(0o700)


def make_private_file(path: Path) -> None:
    """Create an empty file that only its owner can read and write (0600), or narrow one that is there.

    Raises:
        OSError: it cannot be, is a symbolic link, or is another user's.
    """
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | _NO_FOLLOW, 0o600)
    try:
        if sys.platform != "win32":
            os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)


def is_private(path: Path) -> bool:
    """Say whether nobody but its owner can look at a file or folder; where permissions are unknown, it is."""
    return sys.platform == "win32" or not stat.S_IMODE(path.lstat().st_mode) & 0o077


def replaceable(path: Path) -> Path | None:
    """Return a folder above this in which anybody could put another thing in its place; None where there is none."""
    if sys.platform == "win32":
        return None
    for folder in path.resolve().parents:
        mode = folder.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            return folder
    return None


def _on_the_way(home: Path) -> list[Path]:
    """Return the home and what leads there below the user's own; what lies above is not the user's to judge."""
    user = Path.home()
    between = [path for path in home.parents if path != user and path.is_relative_to(user)]
    return [*reversed(between), home]


def _is_link_of_another(path: Path) -> bool:
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISLNK(found.st_mode) and not _is_ours(found, root_too=True)


def _is_ours(found: os.stat_result, *, root_too: bool) -> bool:
    """Say whether a thing is this user's; of root's `root_too`, who could do all anyway."""
    return sys.platform == "win32" or found.st_uid == os.geteuid() or (root_too and found.st_uid == 0)


def _check_place(path: Path, *, root_too: bool = False) -> None:
    """Refuse what others own or can write into; a link that the user has made is followed."""
    if _is_link_of_another(path):
        raise OpenToOthersError(
            f"{path} is a symbolic link that another user has made: it is not followed", hint=f"ls -ld {path}"
        )
    try:
        found = path.stat()
    except OSError:
        return  # missing, or no place where one could be: who needs it says so
    if not _is_ours(found, root_too=root_too):
        raise OpenToOthersError(
            f"{path} belongs to another user ({_name(found.st_uid)})",
            hint=f"{_taken_back(path)}; else point CLAUDE_MEM_HOME at a folder of your own",
        )
    if stat.S_IMODE(found.st_mode) & 0o022:
        raise OpenToOthersError(
            f"other users can write {'into ' if path.is_dir() else ''}{path}",
            hint=f"chmod go= {path} (look first at what is in it, and whose it is)",
        )


def _check_settings(path: Path) -> None:
    """Refuse settings that others can write; they may well be a link to where root keeps everybody's.

    With a umask of 002, as some systems have it, an editor writes them for the group as well. In a home that nobody
    else can enter that means nothing, and `close` narrows it.
    """
    with suppress(OSError):
        if not path.is_symlink() and not _can_enter(path.parent) and _is_ours(path.stat(), root_too=True):
            return
    _check_place(path, root_too=True)


def _check_file(path: Path) -> None:
    """Refuse what no version of this program has made: a link, or another user's file."""
    try:
        found = path.lstat()
    except OSError:
        return
    if stat.S_ISLNK(found.st_mode):
        raise OpenToOthersError(f"{path} is a symbolic link: it is not followed", hint=f"ls -l {path}; then remove it")
    if not _is_ours(found, root_too=False):
        raise OpenToOthersError(
            f"{path} belongs to another user ({_name(found.st_uid)})",
            hint=f"{_taken_back(path.parent)}; what somebody else has put there: rm {shlex.quote(str(path))}",
        )


def _below(folder: Path) -> Iterator[Path]:
    for where, folders, files in os.walk(folder):
        yield from (Path(where, name) for name in [*folders, *files])


def _can_enter(folder: Path) -> bool:
    """Say whether others get at what is in a folder."""
    try:
        return bool(stat.S_IMODE(folder.stat().st_mode) & 0o011)
    except OSError:
        return False


def _narrow(path: Path) -> None:
    """Take away what the mode of a folder or file gives to others."""
    # Gone in the meantime; or the file system knows no modes, and `doctor` tells that others can look at it.
    with suppress(OSError):
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            path.chmod(mode & 0o700)


def _taken_back(path: Path) -> str:
    """Return what to type where this user made something as root: it is the memory itself, not to be removed."""
    me = "" if sys.platform == "win32" else _name(os.geteuid(), before="")
    return f"sudo chown -R {me} {shlex.quote(str(path))} (if claude-mem was once run with sudo)"


def _name(uid: int, before: str = "uid ") -> str:
    """Return what a user is called; one without a name by the number, and what is to stand `before` that."""
    if sys.platform == "win32":
        return str(uid)
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"{before}{uid}"
