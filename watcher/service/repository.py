"""Owns finding out what a folder is a part of: its repository, where that comes from, and how it began.

The `.git` that git leaves in a folder says where the repository is, without git. Where it comes from and its first
commits are asked of git itself, where there is one: they are what is left of a repository that was moved.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from watcher import system
from watcher.memory.projects import Place

ANSWER_WAIT = 5.0  # seconds; the first commits of a history of millions may take longer, and are then not known
_REMOTES = ("config", "--get-regexp", r"^remote\..*\.url$")
# Of all branches: the one that is checked out may have a beginning of its own.
_FIRST_COMMITS = ("rev-list", "--max-parents=0", "--all")
# What the repository itself asks git to run is not run.
_QUIETLY = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=", "-c", "protocol.allow=never")
_SCP = re.compile(r"^(?:[^/@:]+@)?(?P<host>[^/:@]{2,}):(?P<path>.+)$")  # a single letter is a drive of Windows
_URL = re.compile(r"^[a-z+]+://(?:[^/@]*@)?(?P<host>[^/]*)/(?P<path>.+)$", re.IGNORECASE)


def look(folder: str) -> Place:
    """Say what a folder is a part of; a folder that is gone, or cannot be read, stands for itself."""
    try:
        git, root = _find(Path(folder))
        if git is not None and root is not None:
            return Place(folder, str(root), _origin(root), _first_commits(git, root))
    except (OSError, ValueError):
        pass
    return Place(folder, folder)


def is_there(folder: str) -> bool:
    """Say whether a folder is there, as far as can be seen."""
    try:
        return Path(folder).is_dir()
    except (OSError, ValueError):
        return False


def _find(folder: Path) -> tuple[Path | None, Path | None]:
    """Return the folder of the git repository that a folder lies in, and the root of its files.

    Raises:
        OSError: it cannot be read.
    """
    if not folder.is_absolute() or not folder.is_dir():
        return None, None
    for root in (folder, *folder.parents):
        git = root / ".git"
        if git.is_dir():
            return git, root
        if git.is_file():
            return _linked(git, root)
    return None, None


def _linked(file: Path, root: Path) -> tuple[Path, Path]:
    """Return the same of a `.git` that only says where the repository is: a worktree's, a submodule's."""
    said = file.read_text(encoding="utf-8", errors="replace").strip().removeprefix("gitdir:").strip()
    git = Path(os.path.normpath(root / said))
    common = git / "commondir"
    if not common.is_file():
        return git, root  # a submodule: a repository of its own
    shared = Path(os.path.normpath(git / common.read_text(encoding="utf-8", errors="replace").strip()))
    # A bare repository has no files of its own: it stands for itself.
    return shared, shared.parent if shared.name == ".git" else shared


def _origin(root: Path) -> str:
    """Return where a repository comes from, in one spelling; empty where from nowhere."""
    remotes: dict[str, str] = {}
    for line in _git(root, *_REMOTES).splitlines():
        key, _, url = line.partition(" ")
        remotes[key.removeprefix("remote.").removesuffix(".url")] = url.strip()
    if not remotes:
        return ""
    return spelling(remotes.get("origin") or remotes[min(remotes)])


def spelling(url: str) -> str:
    """Return one spelling for all ways to write a remote: without scheme, user, password, `.git` and case of host."""
    url = url.strip()
    match = _URL.match(url) or _SCP.match(url)
    if match is None:
        return url.rstrip("/").removesuffix(".git")
    path = match["path"].strip("/").removesuffix(".git")
    return f"{match['host'].lower()}/{path}" if match["host"] else f"/{path}"


def _first_commits(git: Path, root: Path) -> tuple[str, ...]:
    """Return the commits without a parent that a repository's history begins with; none of a history that was cut."""
    if (git / "shallow").exists():
        return ()
    return tuple(sorted(_git(root, *_FIRST_COMMITS).split()))


def _git(root: Path, *arguments: str) -> str:
    """Return what git says; nothing where there is no git, or it has nothing to say."""
    program = shutil.which("git")
    if program is None:
        return ""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    ran = system.run([program, *_QUIETLY, *arguments], timeout=ANSWER_WAIT, environment=environment, folder=root)
    return ran.output if ran.code == 0 else ""
