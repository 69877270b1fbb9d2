"""What holds at every door, for cases made up, the same ones every time, and for every case that ever failed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.fuzz import TARGETS, Made, Target, campaign, crashes, load
from tests.fuzz import __main__ as main_room
from tests.fuzz.__main__ import main

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

    for case in target.seeds:
        target.check(case, tmp_path)
    tried()


@pytest.mark.parametrize(("name", "path"), KEPT, ids=[f"{name}-{path.name}" for name, path in KEPT])
def test_what_failed_once(name: str, path: Path, tmp_path: Path) -> None:
    load(name).check(crashes.read(path), tmp_path)


def test_each_case_is_kept_for_a_target_that_is_there() -> None:
    assert {folder.name for folder in crashes.FOLDER.iterdir()} <= set(TARGETS)


def nothing(*_: object) -> None:
    """Find nothing wrong."""


def play(target: Target, folder: Path) -> tuple[campaign.Progress, list[Path]]:
    """Fuzz a target for a moment; return how it did, and the cases that are kept of it."""
    (found,) = campaign.run([target], 0.02, folder, nothing, folder / "crashes", folder / "database")
    return found, crashes.kept(target.name, folder / "crashes")


def test_a_case_that_fails_is_made_small_and_kept(tmp_path: Path) -> None:
    def check(case: str, folder: Path) -> None:
        assert len(case) < 3

    found, (kept,) = play(Target("sample", st.text("ab").map(Made), check), tmp_path)
    assert crashes.read(kept) == "aaa"
    assert found.crash == kept
    assert "AssertionError" in found.problem
    again, _ = play(Target("sample", st.text("ab").map(Made), nothing), tmp_path)
    assert again.crash is None
    assert again.examples > 1


def test_a_time_that_grows_with_the_square_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("time.process_time", lambda: clock[0])

    def taking(power: int) -> Target:
        def work(case: str) -> None:
            clock[0] += 0.001 * len(case) ** power

        return Target("sample", st.just(Made("a")), nothing, 1, (), work, lambda case, times: case * times)

    campaign.check_growth(taking(1), "a")
    with pytest.raises(campaign.TooSlowError, match=r"64 times as large, 4.10 s; a 4th of that, 0.26 s"):
        campaign.check_growth(taking(2), "a")


def test_what_failed_is_told_with_what_to_type_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def check(case: str, folder: Path) -> None:
        raise ValueError("never thought of")

    monkeypatch.setattr(main_room, "load", lambda name: Target(name, st.just(Made("case")), check))
    monkeypatch.setattr(crashes, "FOLDER", tmp_path / "crashes")
    monkeypatch.setattr(campaign, "DATABASE", tmp_path / "database")
    assert main(["dates", "--minutes", "0.01"]) == 1
    (kept,) = crashes.kept("dates", tmp_path / "crashes")
    told = capsys.readouterr().out
    assert "never thought of" in told
    assert f"pytest tests/fuzz -k {kept.name}" in told


def test_a_target_that_is_none_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["nothing"])
    assert ended.value.code == 2
    assert "no target nothing; there are: " in capsys.readouterr().err
