"""The wheel: what a user installs works without the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import FIXTURES

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, unpacked as an installer would."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=120,
    )
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def run(installed: Path, home: Path, *args: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "USERPROFILE": str(home),
        "PYTHONPATH": str(installed),
    }
    return subprocess.run(
        [sys.executable, *args], env=environment, cwd=home, capture_output=True, text=True, timeout=60, check=False
    )


def test_it_carries_migrations_hooks_and_manifests_as_data(installed: Path) -> None:
    data = installed / "watcher" / "_data"
    for path in ("alembic/env.py", "hooks/hooks.json", "hooks/stop.py", ".claude-plugin/plugin.json"):
        assert (data / path).is_file()
    assert list((data / "alembic" / "versions").glob("*.py"))
    # A top-level folder `alembic` would be installed into the library of that name.
    assert {path.name for path in installed.iterdir() if not path.name.endswith(".dist-info")} == {"watcher"}
    assert not list(installed.rglob("*.pyc"))


def test_it_runs_without_the_checkout(installed: Path, tmp_path: Path) -> None:
    where = run(installed, tmp_path, "-c", "import watcher; print(watcher.__file__)")
    assert where.stdout.strip() == str(installed / "watcher" / "__init__.py")
    replayed = run(installed, tmp_path, "-m", "watcher", "replay", str(FIXTURES / "ordinary"))
    assert replayed.returncode == 0, replayed
    context = run(installed, tmp_path, "-m", "watcher", "context", "--project", "/home/dev/tidytime")
    assert "parse_duration" in context.stdout


def test_its_hooks_are_the_ones_that_install_sets_up(installed: Path, tmp_path: Path) -> None:
    set_up = run(installed, tmp_path, "-m", "watcher", "install")
    assert set_up.returncode == 0, set_up
    settings = (tmp_path / ".claude" / "settings.json").read_text()
    assert str(installed / "watcher" / "_data" / "hooks" / "stop.py") in settings
