"""A year in small: what the simulation says of itself is what is in the memory then."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks import growth, homes
from benchmarks.growth import Year
from tests.rows import rows
from watcher.agent import prompts
from watcher.memory import recollection


@pytest.fixture(scope="module")
def year() -> Iterator[Year]:
    """Nine sessions of a turn or two, in three projects."""
    with pytest.MonkeyPatch.context() as patch, growth.a_year(100, 1000) as made:
        patch.setattr(growth, "SESSIONS", 9)
        patch.setattr(growth, "TURNS", (1.5, 0.3))
        patch.setattr(growth, "SAMPLES", 2)
        patch.setattr(growth, "RENDERED", 1)
        patch.setattr(growth, "PROJECTS", 3)
        del made.projects[3:]
        made.live()
        yield made


def test_all_that_was_written_is_in_the_memory_and_digested(year: Year) -> None:
    path = year.database.path
    assert rows(path, "SELECT count(*) FROM tool_uses") == [(year.written.tool_uses,)]
    assert rows(path, "SELECT count(*) FROM tool_uses WHERE status NOT IN ('observed', 'skipped')") == [(0,)]
    assert rows(path, "SELECT count(*) FROM session_summaries WHERE source = 'agent'") == [(year.written.turns,)]
    assert rows(path, "SELECT status, count(*) FROM sdk_sessions GROUP BY 1") == [("completed", 9)]
    assert rows(path, "SELECT count(*) FROM flags WHERE lowered_at_epoch IS NULL") == [(0,)]
    assert rows(path, "SELECT count(*) FROM broken_lines") == [(0,)]


def test_no_transcript_is_left(year: Year) -> None:
    assert list(year.settings.projects.glob("**/*.jsonl")) == []


def test_it_lasts_a_year_and_is_looked_at_now_and_then(year: Year) -> None:
    assert 0.8 <= (year.now - year.begun) / homes.YEAR <= 1.01
    assert [sample.year for sample in year.samples] == [pytest.approx(5 / 9), 1.0]
    first, last = year.samples
    assert (last.written.size, last.written.tool_uses) == (year.written.size, year.written.tool_uses)
    assert 0 < first.written.size < last.written.size
    assert first.database < last.database <= path_size(year)
    assert all(sample.cpu > 0 and sample.turn > 0 and sample.session_start > 0 for sample in year.samples)


def test_what_was_planted_is_told(year: Year) -> None:
    told = dict(growth.quality(year))
    assert told["projects whose context holds the last summary whole"] == "3 of 3"
    assert told["… and the last words of their last session"] == "3 of 3"
    assert told["contexts that hold anything of another project"] == "0 of 3"
    assert told["first decisions that are still in a summary"] == "3 of 3"


def test_a_context_with_anothers_words_or_without_its_own_is_told(year: Year) -> None:
    first, second, third = year.projects
    kept = {project.number: text for project, text in year.contexts()}
    with year.database.write() as connection:
        recollection.put_context(connection, first.folder, f"{kept[0]} {second.last_words}", now=0)
        recollection.put_context(connection, third.folder, kept[2].replace(third.last_words[:19], ""), now=0)
    try:
        told = dict(growth.quality(year))
    finally:
        with year.database.write() as connection:
            for project in year.projects:
                recollection.put_context(connection, project.folder, kept[project.number], now=0)
    assert told["contexts that hold anything of another project"] == "1 of 3"
    assert told["projects whose context holds the last summary whole"] == "2 of 3"
    assert told["… and the last words of their last session"] == "2 of 3"


def test_the_tables_sizes_are_those_of_the_file(year: Year) -> None:
    found = growth.tables(year.database.path)
    names = {name: count for name, count, _ in found}
    assert names["tool_uses"] == year.written.tool_uses
    assert names["session_summaries"] == year.written.turns
    assert sum(size for _, _, size in found) == pytest.approx(year.used(), rel=0.02)


def test_what_a_model_would_be_asked_is_counted(year: Year) -> None:
    assert year.agent.requests == len(year.agent.sent) >= year.written.turns
    assert min(year.agent.sent) > len(prompts.SYSTEM)


def test_what_a_model_would_cost_is_worked_out(year: Year, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = growth.Counting()
    counted.requests, counted.sent = 50_000, [8000, 12_000]
    monkeypatch.setattr(year, "agent", counted)
    monkeypatch.setattr(year, "percent", 50)
    (line,) = growth.on_paper(year)
    assert "50,000 requests, 274 a day in a whole year, of 10.0 kB" in line
    assert "250 million tokens in and 70 million out a year, which at $1 and $5 a million is $600." in line


def test_all_of_it_can_be_printed(year: Year) -> None:
    text = "\n".join(growth.told(year))
    assert text.count("\n| 100 % |") == 2
    assert f"{year.written.tool_uses:,} tool uses" in text


def path_size(year: Year) -> float:
    return year.database.path.stat().st_size / 1e6 + 5  # MB; some may still be in the log
