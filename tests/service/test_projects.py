from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from pathlib import Path

import pytest

from tests.rows import rows
from watcher.memory import projects
from watcher.memory.database import Database
from watcher.service import repository
from watcher.service.projects import KEPT, Projects

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git makes the repositories that these are about")

_SESSION = "INSERT INTO sdk_sessions (session_id, project, started_at, started_at_epoch) VALUES (?, ?, '2026', 1)"


def git(folder: Path, *arguments: str) -> str:
    """Run git as nobody in particular, with no settings of this machine."""
    folder.mkdir(parents=True, exist_ok=True)
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_GLOBAL": os.devnull}
    command = ["git", "-c", "user.name=me", "-c", "user.email=me@example.org", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True).stdout


def make_repository(folder: Path, *, remote: str = "") -> Path:
    git(folder, "init", "-q", "-b", "main")
    git(folder, "commit", "-q", "--allow-empty", "-m", f"Begin {uuid.uuid4()}")  # so that no two begin alike
    if remote:
        git(folder, "remote", "add", "origin", remote)
    return folder


class Told:
    """A memory, asked as the watcher does it; `day` lets as many days pass."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.now = 1_800_000_000_000

    def __call__(self, folder: Path) -> str:
        return Projects(self.database, clock=lambda: self.now).settle(str(folder))

    def day(self) -> None:
        self.now += KEPT

    def keep(self, session_id: str, project: Path | str) -> None:
        """Keep a session and a context of a project."""
        with self.database.write() as connection:
            connection.exec_driver_sql(_SESSION, (session_id, str(project)))
            connection.exec_driver_sql("INSERT OR REPLACE INTO contexts VALUES (?, ?, 1)", (str(project), session_id))

    def of(self, session_id: str) -> str:
        """Return the project that a session is of."""
        return str(
            rows(self.database.path, f"SELECT project FROM sdk_sessions WHERE session_id = '{session_id}'")[0][0]
        )


@pytest.fixture
def told(database: Database) -> Told:
    return Told(database)


def test_a_repository_its_folders_and_its_worktrees_are_one_project(told: Told, tmp_path: Path) -> None:
    main = make_repository(tmp_path / "api")
    git(main, "worktree", "add", "-q", str(tmp_path / "elsewhere" / "fix"))
    (main / "src" / "deep").mkdir(parents=True)

    assert {told(folder) for folder in (main / "src" / "deep", main, tmp_path / "elsewhere" / "fix")} == {str(main)}


def test_two_folders_of_one_name_are_two_projects(told: Told, tmp_path: Path) -> None:
    one, other = make_repository(tmp_path / "one" / "api"), make_repository(tmp_path / "other" / "api")
    plain = tmp_path / "plain" / "api"
    plain.mkdir(parents=True)

    assert [told(folder) for folder in (one, other, plain)] == [str(one), str(other), str(plain)]


@pytest.mark.parametrize("remote", ["", "git@example.org:me/api.git"])
def test_a_repository_that_was_moved_keeps_its_memory(told: Told, tmp_path: Path, remote: str) -> None:
    old = make_repository(tmp_path / "api", remote=remote)
    told.keep("s", told(old))
    new = tmp_path / "work" / "api-server"
    shutil.copytree(old, new)
    shutil.rmtree(old)

    assert told(new) == str(new)
    assert told.of("s") == str(new)
    assert rows(told.database.path, "SELECT project, text FROM contexts") == [(str(new), "s")]
    assert told(old) == str(new)  # as it is known to the sessions that began there


def test_two_clones_of_one_remote_share_a_memory(told: Told, tmp_path: Path) -> None:
    one = make_repository(tmp_path / "one", remote="https://me:secret@Example.org/me/api.git")
    two = tmp_path / "two"
    git(tmp_path, "clone", "-q", str(one), str(two))
    git(two, "remote", "set-url", "origin", "ssh://git@example.org/me/api")

    assert told(one) == told(two) == str(one)
    assert "secret" not in str(rows(told.database.path, "SELECT * FROM project_identities"))


def test_a_fork_with_a_remote_of_its_own_is_another_project(told: Told, tmp_path: Path) -> None:
    template = make_repository(tmp_path / "template", remote="https://example.org/template")
    fork = tmp_path / "fork"
    git(tmp_path, "clone", "-q", str(template), str(fork))
    git(fork, "remote", "set-url", "origin", "https://example.org/fork")

    assert [told(template), told(fork)] == [str(template), str(fork)]


def test_another_repository_in_the_same_place_begins_anew(told: Told, tmp_path: Path) -> None:
    first = make_repository(tmp_path / "api")
    told.keep("s", told(first))
    first.rename(tmp_path / "api-old")
    second = make_repository(tmp_path / "api")

    told.day()
    assert told(second) == str(second)
    assert told.of("s") != str(second)
    assert told(tmp_path / "api-old") == str(tmp_path / "api-old") == told.of("s")


def test_what_was_kept_of_a_folder_by_its_path_becomes_its_repositorys(told: Told, tmp_path: Path) -> None:
    folder = tmp_path / "api" / "src"
    folder.mkdir(parents=True)
    told.keep("before", told(folder))
    make_repository(tmp_path / "api")
    assert told(folder) == str(folder)  # it was looked at a moment ago

    told.day()
    assert told(folder) == told.of("before") == str(tmp_path / "api")


def test_a_remote_that_comes_later_changes_nothing(told: Told, tmp_path: Path) -> None:
    main = make_repository(tmp_path / "api")
    assert told(main) == str(main)
    git(main, "remote", "add", "origin", "https://example.org/api")
    told.day()
    assert told(main) == str(main)
    git(main, "remote", "set-url", "origin", "https://example.org/renamed")
    told.day()
    assert told(main) == str(main)


def test_a_submodule_is_a_project_of_its_own(told: Told, tmp_path: Path) -> None:
    library, main = make_repository(tmp_path / "library"), make_repository(tmp_path / "main")
    git(main, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(library), "lib")

    assert told(main) == str(main)
    assert told(main / "lib") != str(main)


def test_a_cut_history_has_no_beginning(tmp_path: Path) -> None:
    main = make_repository(tmp_path / "main")
    git(main, "commit", "-q", "--allow-empty", "-m", "More")
    cut = tmp_path / "cut"
    git(tmp_path, "clone", "-q", "--depth", "1", main.as_uri(), str(cut))

    assert repository.look(str(main)).commits
    assert repository.look(str(cut)).commits == ()


def test_where_git_is_not_installed_the_path_still_says_the_repository(
    told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    main = make_repository(tmp_path / "api")
    (main / "src").mkdir()
    monkeypatch.setenv("PATH", "")

    assert told(main / "src") == str(main)
    assert repository.look(str(main)).identities == ()


def test_what_a_repository_asks_git_to_run_is_not_run(tmp_path: Path) -> None:
    main = make_repository(tmp_path / "api", remote="https://example.org/api")
    for name in ("core.fsmonitor", "core.sshCommand", "core.pager", "core.askPass"):
        git(main, "config", name, f"touch {tmp_path / 'run'}")

    assert len(repository.look(str(main)).identities) == 2
    assert not (tmp_path / "run").exists()


def test_a_damaged_repository_is_known_by_its_path(told: Told, tmp_path: Path) -> None:
    (tmp_path / "api").mkdir()
    (tmp_path / "api" / ".git").write_bytes(b"\xff\xfe nothing of git's")
    (tmp_path / "web" / ".git").mkdir(parents=True)

    assert told(tmp_path / "api" / "src") == str(tmp_path / "api" / "src")
    assert told(tmp_path / "api") == str(tmp_path / "api")
    assert told(tmp_path / "web") == str(tmp_path / "web")


@pytest.mark.parametrize("folder", ["", "api", "/nowhere/at/all", "\0"])
def test_what_is_no_folder_stands_for_itself(told: Told, folder: str) -> None:
    assert Projects(told.database).settle(folder) == folder


def test_what_was_joined_stays_so(told: Told, tmp_path: Path) -> None:
    one, other = make_repository(tmp_path / "one"), tmp_path / "other"
    other.mkdir()
    told.keep("s", told(one))
    told(other)
    with told.database.write() as connection:
        projects.rename(connection, str(one), str(other))

    told.day()
    assert told(one) == told.of("s") == told(other) == str(other)


def test_folders_of_an_older_memory_are_looked_at_bit_by_bit(told: Told, tmp_path: Path) -> None:
    main = make_repository(tmp_path / "api")
    for name in ("src", "docs"):
        (main / name).mkdir()
        told.keep(name, main / name)

    looking = Projects(told.database)
    assert [looking.settle_some(1), looking.settle_some(5), looking.settle_some(5)] == [[str(main)], [str(main)], []]
    assert {told.of("src"), told.of("docs")} == {str(main)}


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/me/api.git",
        "https://user:password@EXAMPLE.org/me/api",
        "git@example.org:me/api.git",
        "ssh://git@example.org/me/api/",
        "example.org:me/api",
    ],
)
def test_a_remote_has_one_spelling(url: str) -> None:
    assert repository.spelling(url) == "example.org/me/api"


@pytest.mark.parametrize(
    ("url", "spelling"),
    [
        ("/srv/git/api.git", "/srv/git/api"),
        ("file:///srv/git/api.git", "/srv/git/api"),
        (r"C:\git\api", r"C:\git\api"),
        ("../api", "../api"),
    ],
)
def test_a_remote_may_be_a_path(url: str, spelling: str) -> None:
    assert repository.spelling(url) == spelling


def test_a_repository_that_may_not_be_read_is_known_by_its_path(
    told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever may read everything is refused nothing, so it is the look that is refused here."""
    main = make_repository(tmp_path / "api")
    exists = Path.exists

    def refused(path: Path, **more: bool) -> bool:
        if path.name == "shallow":
            raise PermissionError(path)
        return exists(path, **more)

    monkeypatch.setattr(Path, "exists", refused)
    assert told(main) == str(main)
    assert not repository.is_there("a" * 5000)


def test_folders_that_were_joined_do_not_turn_around(told: Told, tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        folder.mkdir()
        told(folder)
    with told.database.write() as connection:
        projects.rename(connection, str(one), str(other))
    for folder in (one, other, one):
        told.day()
        assert told(folder) == str(other)


def test_a_branch_with_a_beginning_of_its_own_changes_nothing(told: Told, tmp_path: Path) -> None:
    main = make_repository(tmp_path / "api")
    told.keep("s", told(main))
    git(main, "checkout", "-q", "--orphan", "pages")
    git(main, "commit", "-q", "--allow-empty", "-m", "Pages")
    told.day()
    assert told(main) == told.of("s") == str(main)
