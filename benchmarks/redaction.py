"""What redaction finds, takes wrongly, and costs: the corpus of planted secrets, and the code of this interpreter."""

from __future__ import annotations

import json
from collections.abc import Iterator

from benchmarks.measure import MEGABYTE, Figure, number, pairs, progress, wall_seconds
from tests.attacks import corpus, ordinary
from tests.attacks.secrets import HELD_OUT, WORKED_ON
from watcher.privacy.redaction import redact

PAIRS = 7


def figures() -> Iterator[Figure]:
    """Measure the speed on code, in pieces as long as what is kept of an output; the recall; the false alarms."""
    texts = [text for _, text in ordinary.pieces()]
    size = sum(map(len, texts)) / MEGABYTE
    written = [json.dumps(text) for text in texts]

    def clean() -> None:
        for text in texts:
            redact(text)

    def decode() -> None:
        for text in written:
            json.loads(text)

    both = pairs(PAIRS, lambda: wall_seconds(clean), lambda: wall_seconds(decode))
    progress(f"redaction: {size:.1f} MB of code")
    speed = f"; {number(size / min(both.measured))} MB/s"
    what = f"Redacting {size:.0f} MB of code, wall"
    yield Figure(what, both.against("`json.loads` of the same texts") + speed, both.ratios, 6)
    yield Figure("False alarms a MB of that code", "", (len(ordinary.alarms()[2]) / size,), 4, unit="")
    for seed in (WORKED_ON, HELD_OUT):
        planted = list(corpus.plant(seed))
        found = sum(not one.remains_in(redact(one.text)) for one in planted)
        kinds = len({one.kind for one in planted})
        yield Figure(
            f"Planted secrets that are found, {seed}",
            f"{len(planted):,} of {kinds} kinds",
            (found / len(planted),),
            0.99,
            unit="",
            is_least=True,
        )
