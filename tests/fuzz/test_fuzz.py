"""What holds at every door, for cases made up, the same ones every time, and for every case that ever failed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.fuzz import TARGETS, Made, crashes, load

KEPT = [(name, path) for name in TARGETS for path in crashes.kept(name)]


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_made_up(name: str, tmp_path: Path) -> None:
    target = load(name)

    @settings(
        max_examples=target.examples,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
    )
    @given(target.cases)
    def tried(made: Made) -> None:
        target.check(made.case, tmp_path)

    tried()


@pytest.mark.parametrize(("name", "path"), KEPT, ids=[f"{name}-{path.name}" for name, path in KEPT])
def test_what_failed_once(name: str, path: Path, tmp_path: Path) -> None:
    load(name).check(crashes.read(path), tmp_path)


def test_each_case_is_kept_for_a_target_that_is_there() -> None:
    assert {folder.name for folder in crashes.FOLDER.iterdir()} <= set(TARGETS)
