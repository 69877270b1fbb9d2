"""Lists the queries for tuning whose answers are not all among the first five: the others are not to be looked at."""

from __future__ import annotations

from benchmarks import retrieval
from benchmarks.retrieval import fixture

if __name__ == "__main__":
    tuning, _ = fixture.queries()
    with retrieval.searches() as (ours, _plain, _like):
        for text, answers in tuning:
            found = ours(text)
            if not answers <= set(found[:5]):
                print(f"{text}: wanted {' '.join(sorted(answers))}, found {' '.join(found)}")
    for figure in retrieval.figures():
        print(figure.row())
