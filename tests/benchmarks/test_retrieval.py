"""Searching goes on finding what is meant: the figures are the same on every machine, so a test can hold them."""

from __future__ import annotations

from benchmarks import retrieval
from benchmarks.retrieval import fixture


def test_every_query_has_answers_that_are_there() -> None:
    names = [row.name for row in fixture.memory()]
    tuning, testing = fixture.queries()
    assert len(names) == len(set(names)) > 200
    assert len({query.text for query in tuning + testing}) > 200
    for query in tuning + testing:
        assert query.text
        assert query.answers
        assert query.answers <= set(names)


def test_a_row_is_read_as_it_is_written() -> None:
    rows = {row.name: row for row in fixture.memory()}
    assert rows["b08"].text.startswith("Argument of type 'string | undefined' is not")
    assert rows["b08"].files == ("tsconfig.json", "src/i18n/translate.ts")
    assert (rows["d09"].kind, rows["d09"].files) == ("s", ())
    assert rows["d09"].text.endswith("runbook for renewing.")
    assert (rows["c14"].title, rows["c14"].project) == ("", "telemetry-rs")


def test_search_finds_what_is_meant_better_than_fts5_as_it_comes() -> None:
    _, held_out = fixture.queries()
    with retrieval.searches() as (ours, plain, like):
        assert retrieval.recall(held_out, ours, 5) > 0.9
        assert retrieval.reciprocal_rank(held_out, ours) > 0.95
        for other in (plain, like):
            assert 0.5 < retrieval.recall(held_out, other, 10) < retrieval.recall(held_out, ours, 10) - 0.05
            assert 0.5 < retrieval.reciprocal_rank(held_out, other) < retrieval.reciprocal_rank(held_out, ours) - 0.05
