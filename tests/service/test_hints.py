"""File system events: what they tell, and that they are listened to again where a folder went and came."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.claude_cli import wait_until
from watcher.service.hints import Hints


@pytest.fixture
def hints() -> Iterator[Hints]:
    made = Hints()
    yield made
    made.stop()


def hears(hints: Hints, path: Path) -> None:
    """Wait until a change of a file is told."""
    heard: set[str] = set()

    def told() -> bool:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(path.read_text() + "x" if path.exists() else "x")
        heard.update(hints.wait(0.2))
        return str(path) in heard

    wait_until(told, otherwise=lambda: f"heard only {heard}")


def test_changes_below_a_folder_are_told(hints: Hints, tmp_path: Path) -> None:
    assert hints.listen(tmp_path, recursive=True)
    assert not hints.listen(tmp_path, recursive=True)
    hears(hints, tmp_path / "deep" / "er" / "file")


def test_a_folder_that_is_not_there_is_listened_to_later(hints: Hints, tmp_path: Path) -> None:
    folder = tmp_path / "later"
    assert not hints.listen(folder, recursive=True)
    folder.mkdir()
    assert hints.listen(folder, recursive=True)
    hears(hints, folder / "file")


def test_a_folder_deleted_and_made_again_is_listened_to_anew(hints: Hints, tmp_path: Path) -> None:
    folder = tmp_path / "projects"
    for _ in range(3):  # the same inode may be given again
        (folder / "api").mkdir(parents=True)
        wait_until(lambda: hints.listen(folder, recursive=True))
        hears(hints, folder / "api" / "file")
        shutil.rmtree(folder)
        hints.wait(1.0)


def test_a_folder_that_is_another_one_now_is_listened_to_anew(hints: Hints, tmp_path: Path) -> None:
    folder = tmp_path / "projects"
    folder.mkdir()
    hints.listen(folder, recursive=True)
    folder.rename(tmp_path / "before")
    folder.mkdir()
    assert hints.listen(folder, recursive=True)
    hears(hints, folder / "file")


def test_whoever_waits_can_be_woken(hints: Hints) -> None:
    hints.wake()
    assert hints.wait(30) == {""}
