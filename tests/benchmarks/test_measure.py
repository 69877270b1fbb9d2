"""A row says what was measured, the table goes where it belongs, and nothing is left running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from benchmarks import __main__ as table
from benchmarks import measure
from benchmarks.measure import Figure, Pairs
from tests.claude_cli import wait_until

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("figure", "row"),
    [
        (Figure("a", "b", (3.0, 1.0, 2.0), 2.5), "| a | b | 2 times | 1 to 3 | ≤ 2.5 | yes |"),
        (Figure("a", "b", (3.0, 1.0, 2.0), 1.9), "| a | b | 2 times | 1 to 3 | ≤ 1.9 | **no** |"),
        (Figure("a", "b", (0.456,), None, "ms"), "| a | b | 0.46 ms |  |  |  |"),
        (Figure("a", "b", (0.0,), 0, "processes"), "| a | b | 0 processes |  | ≤ 0 | yes |"),
        (Figure("a", "b", (0.9,), 0.8, "", is_least=True), "| a | b | 0.90 |  | ≥ 0.8 | yes |"),
        (Figure("a", "b", (0.7,), 0.8, "", is_least=True), "| a | b | 0.70 |  | ≥ 0.8 | **no** |"),
        (Figure("a", "", (), 8), "| a |  | not there |  | ≤ 8 | **no** |"),
    ],
)
def test_a_row(figure: Figure, row: str) -> None:
    assert figure.row() == row


def test_pairs_are_measured_in_turn_and_the_first_only_warms_up() -> None:
    told: list[str] = []

    def take(name: str, values: list[float]) -> float:
        told.append(name)
        return values.pop(0)

    ones, others = [100.0, 6.0, 8.0], [100.0, 3.0, 2.0]
    both = measure.pairs(2, lambda: take("one", ones), lambda: take("other", others))
    assert told == ["one", "other"] * 3
    assert both == Pairs((6.0, 8.0), (3.0, 2.0))
    assert both.ratios == (2.0, 4.0)
    assert both.against("`other`") == "`other`: 2.50 s"


def test_the_cpu_time_is_that_of_the_process() -> None:
    environment = measure.clean_environment(Path.home())
    idle, busy = (
        measure.cpu_seconds([sys.executable, "-I", "-S", "-c", code], environment=environment)
        for code in ("import time; time.sleep(0.2)", "while __import__('time').process_time() < 0.3: pass")
    )
    assert idle < busy
    assert busy >= 0.3
    with pytest.raises(subprocess.CalledProcessError):
        measure.cpu_seconds([sys.executable, "-c", "exit(1)"], environment=environment)


def test_the_worst_of_a_hundred() -> None:
    values = list(map(float, range(1, 102)))
    assert [measure.percentile(values[::-1], share) for share in (0.0, 0.5, 0.99, 1.0)] == [1, 51, 100, 101]
    assert measure.percentile([7.0], 0.99) == 7.0


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (1.0, "1"), (1.234, "1.23"), (12.34, "12.3"), (123.4, "123"), (20.0, "20")]
)
def test_a_number(value: float, text: str) -> None:
    assert measure.number(value) == text


def test_the_environment_has_nothing_of_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "mine")
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", "/mine")
    assert set(measure.clean_environment(Path("/somewhere"))) == {"PATH", "HOME", "CLAUDE_MEM_HOME"}


def test_the_table_goes_between_its_markers() -> None:
    text = f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n"
    assert table.put_between(text, "new") == f"before\n{table.BEGIN}\nnew\n{table.END}\nafter\n"
    with pytest.raises(SystemExit, match="lacks"):
        table.put_between("before\nafter\n", "new")


def test_the_readme_has_the_table_between_the_markers() -> None:
    text = table.README.read_text(encoding="utf-8")
    assert text.count(measure.HEADER) == 1
    assert measure.HEADER not in table.put_between(text, "new")


@pytest.fixture
def readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "README.md"
    path.write_text(f"{table.BEGIN}\nold\n{table.END}\n")
    monkeypatch.setattr(table, "README", path)
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--readme"])
    return path


def test_all_is_printed_and_put_into_the_readme(
    readme: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(table, "ALL", {"one": lambda: iter([Figure("a", "b", (1.0,), 2)])})
    assert table.main() == 0
    said = capsys.readouterr()
    assert "| a | b | 1 times |  | ≤ 2 | yes |" in said.out
    assert "one" in said.err
    assert readme.read_text() == f"{table.BEGIN}\n{said.out}{table.END}\n"


def test_one_that_fails_keeps_none_out_and_nothing_is_written(
    readme: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def failing() -> Iterator[Figure]:
        yield Figure("c", "d", (1.0,), 2)
        raise ValueError("no luck")

    monkeypatch.setattr(table, "ALL", {"one": failing, "two": lambda: iter([Figure("a", "b", (1.0,), 2)])})
    assert table.main() == 1
    said = capsys.readouterr()
    assert "| a | b |" in said.out
    assert "no luck" in said.err
    assert "failed: one" in said.err
    assert "old" in readme.read_text()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_when_it_is_ended_nothing_is_left(tmp_path: Path, number: signal.Signals) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks", "stop"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        # Once it holds its lock, whoever started the watcher knows of it, too.
        wait_until(lambda: children_at_work(process.pid) and list(tmp_path.rglob("watcher.lock")))
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert process.returncode != 0, said
    assert processes_below(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def children_at_work(pid: int) -> list[psutil.Process]:
    return [child for child in psutil.Process(pid).children() if "watch" in child.cmdline()]


def processes_below(folder: Path) -> list[list[str]]:
    found = []
    for process in psutil.process_iter(["status"]):
        try:
            home = process.environ().get("HOME", "")
            if process.info["status"] != psutil.STATUS_ZOMBIE and home.startswith(str(folder)):
                found.append(process.cmdline())
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found
