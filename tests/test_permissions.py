from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rows import rows
from watcher import permissions
from watcher import settings as settings_room
from watcher.memory.database import Database
from watcher.permissions import OpenToOthersError
from watcher.service.diagnosis.finding import Case, State
from watcher.service.diagnosis.places import home as home_check
from watcher.settings import Settings

STRANGER = 12345  # a uid

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there the user's profile keeps others out")
as_root = pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0, reason="only root can give a file to somebody else"
)


@pytest.fixture
def home(database: Database, settings: Settings) -> Path:
    """A memory as it should be."""
    return settings.home


def load(home: Path) -> Settings:
    return settings_room.load({"CLAUDE_MEM_HOME": str(home)})


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_home_of_ours_is_taken_and_one_that_is_not_there_yet(home: Path, tmp_path: Path) -> None:
    assert load(home).home == home
    assert load(tmp_path / "nothing" / "here").home == tmp_path / "nothing" / "here"


@pytest.mark.parametrize("name", ["", "data", "logs", "config.toml"])
@pytest.mark.parametrize("bits", [0o020, 0o002], ids=["group", "others"])
def test_where_others_can_write_nothing_is_believed(home: Path, name: str, bits: int) -> None:
    path = home / name
    if name == "config.toml":
        path.write_text("")
        home.chmod(0o755)  # where they could get at it
    path.mkdir(exist_ok=True) if "." not in name else None
    path.chmod(mode(path) | bits)
    with pytest.raises(OpenToOthersError, match="can write") as refused:
        load(home)
    assert refused.value.hint.startswith(f"chmod go= {path} ")
    path.chmod(mode(path) & 0o700)
    load(home)


def test_settings_that_an_editor_wrote_with_a_umask_of_002_are_taken_where_nobody_else_gets_in(home: Path) -> None:
    path = home / "config.toml"
    path.write_text("")
    path.chmod(0o664)
    load(home)
    permissions.close(home)
    assert mode(path) == 0o600


@as_root
@pytest.mark.parametrize("name", ["", "data", "logs", "config.toml", "data/claude-mem.db"])
def test_what_is_another_users_is_not_ours(home: Path, name: str) -> None:
    (home / "logs").mkdir()
    (home / "config.toml").write_text("")
    os.chown(home / name, STRANGER, STRANGER)
    with pytest.raises(OpenToOthersError, match=f"belongs to another user .uid {STRANGER}.") as refused:
        load(home)
    # Most often it was made with sudo, and is the memory itself: what is typed first must not lose it.
    assert refused.value.hint.startswith("sudo chown -R root ")
    command = refused.value.hint.split(" (")[0].split()
    subprocess.run(command[1:], check=True)
    load(home)


def test_a_home_or_settings_that_the_user_has_linked_are_taken(home: Path, tmp_path: Path) -> None:
    elsewhere = home.rename(tmp_path / "elsewhere")
    home.symlink_to(elsewhere)
    kept = tmp_path / "dotfiles.toml"
    kept.write_text("[context]\nmax_units = 7\n")
    (home / "config.toml").symlink_to(kept)
    kept.chmod(0o644)
    assert load(home).context.max_units == 7
    Database.create(home / "data" / "claude-mem.db").close()
    assert mode(elsewhere) == 0o700


@as_root
@pytest.mark.parametrize("depth", [0, 1], ids=["the home", "on the way"])
def test_a_link_that_another_user_has_made_is_not_followed(tmp_path: Path, depth: int) -> None:
    home = tmp_path / "work" / "memory"
    Database.create(home / "data" / "claude-mem.db").close()
    link = home if depth == 0 else home.parent
    target = link.rename(tmp_path / "elsewhere")
    link.symlink_to(target)
    load(home)
    os.chown(link, STRANGER, STRANGER, follow_symlinks=False)
    with pytest.raises(OpenToOthersError, match="link that another user has made"):
        load(home)


@pytest.mark.parametrize("end", ["", "-wal", "-shm"])
def test_a_linked_database_is_not_read(home: Path, tmp_path: Path, end: str) -> None:
    planted = home / "data" / f"claude-mem.db{end}"
    planted.unlink(missing_ok=True)
    planted.symlink_to(tmp_path / "precious")
    with pytest.raises(OpenToOthersError, match="is a symbolic link"):
        load(home)


def test_what_was_wider_is_narrowed_and_stays_what_it_is(home: Path, settings: Settings) -> None:
    for path in [home, *home.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o444)
    Database.create(settings.database).close()
    assert {mode(path) for path in home.rglob("*") if path.is_file()} == {0o600, 0o400}  # what nobody could write stays
    assert mode(home) == mode(home / "data") == 0o700
    assert rows(settings.database, "SELECT count(*) FROM flags") == [(0,)]


@pytest.mark.parametrize("end", ["", "-wal"])
def test_a_database_that_others_can_get_at_and_write_is_not_believed(home: Path, end: str) -> None:
    path = home / "data" / f"claude-mem.db{end}"
    path.touch()
    path.chmod(0o666)
    load(home)  # they cannot get there
    for folder in (home, home / "data"):
        folder.chmod(0o755)
    with pytest.raises(OpenToOthersError, match="can write"):
        load(home)


def test_folders_on_the_way_are_made_for_their_owner_too(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        permissions.make_private_folder(tmp_path / "a" / "b" / "c")
    finally:
        os.umask(before)
    assert {mode(path) for path in tmp_path.rglob("*")} == {0o700}


def test_doctor_tells_that_others_could_write(home: Path, settings: Settings, tmp_path: Path) -> None:
    case = Case({"CLAUDE_MEM_HOME": str(home)})
    tmp_path.chmod(0o777)
    (finding,) = home_check(case)
    assert (finding.state, finding.hint) == (State.WARNING, f"chmod o-w {tmp_path}")
    tmp_path.chmod(0o1777)
    (finding,) = home_check(case)
    assert finding.state is State.OK
    home.chmod(0o770)
    (finding,) = home_check(Case({"CLAUDE_MEM_HOME": str(home)}))
    assert finding.state is State.WRONG
    assert "nothing is read or written" in finding.text
