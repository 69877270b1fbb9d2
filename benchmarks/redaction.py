"""What redaction finds, takes wrongly, and costs: the corpus of planted secrets, and the code of this interpreter."""

from __future__ import annotations

import gc
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

from benchmarks import transcripts
from benchmarks.measure import MEGABYTE, Figure, number, pairs, progress, temporary_folder
from benchmarks.transcripts import Session
from tests.attacks import corpus, ordinary
from tests.attacks.secrets import HELD_OUT, WORKED_ON
from watcher.memory.database import Database
from watcher.privacy.redaction import redact
from watcher.service.ingest import Ingest
from watcher.settings import CaptureSettings
from watcher.transcript import excerpts

PAIRS = 7
SIZE = 60  # megabytes of a transcript


def figures() -> Iterator[Figure]:
    """Measure what it adds to taking a transcript in; the speed on code; the recall; the false alarms."""
    with temporary_folder() as folder:
        yield _taking_in(folder)
    texts = [text for _, text in ordinary.pieces()]  # as long as what is kept of an output
    size = sum(map(len, texts)) / MEGABYTE
    written = [json.dumps(text) for text in texts]

    def clean() -> None:
        for text in texts:
            redact(text)

    def decode() -> None:
        for text in written:
            json.loads(text)

    both = pairs(PAIRS, lambda: _cpu(clean), lambda: _cpu(decode))
    progress(f"redaction: {size:.1f} MB of code")
    speed = f"; {number(size / min(both.measured))} MB/s"
    what = f"Redacting {size:.0f} MB of code, CPU"
    yield Figure(what, both.against("`json.loads` of the same texts") + speed, both.ratios, 4)
    yield Figure("False alarms a MB of that code", "", (len(ordinary.alarms()[2]) / size,), 4, unit="")
    for seed in (WORKED_ON, HELD_OUT):
        planted = list(corpus.plant(seed))
        found = sum(not one.remains_in(redact(one.text)) for one in planted)
        kinds = len({one.kind for one in planted})
        progress(f"redaction: {found:,} of {len(planted):,} planted secrets are found, {seed}")
        yield Figure(
            f"Planted secrets that are found, {seed}",
            f"{found:,} of {len(planted):,}, of {kinds} kinds",
            (found / len(planted),),
            0.99,
            unit="",
            is_least=True,
        )


def _taking_in(folder: Path) -> Figure:
    """Measure taking one transcript in, in turn with the same where every text stays as it is."""
    path = folder / f"{transcripts.session_id(1)}.jsonl"
    session = Session(path.stem, "/home/dev/api", seed=1, begun=round(time.time() * 1000) - 3_600_000, step=10)
    transcripts.write(path, session, SIZE * MEGABYTE)

    def take_in() -> float:
        home = Path(tempfile.mkdtemp(dir=folder))
        database = Database.create(home / "m" / "data" / "claude-mem.db")
        gc.collect()
        seconds = _cpu(lambda: Ingest(database, CaptureSettings()).take_in(path))
        database.close()
        return seconds

    def take_in_as_it_is() -> float:
        with mock.patch.multiple(
            excerpts, redact=lambda text: text, redact_part=lambda text, start, end: text[start:end]
        ):
            return take_in()

    both = pairs(PAIRS, take_in, take_in_as_it_is)
    progress(f"redaction: a transcript of {SIZE} MB")
    what = f"Taking in a transcript of {SIZE} MB, its secrets taken out, CPU"
    return Figure(what, both.against("without that"), both.ratios, 1.2)


def _cpu(act: Callable[[], object]) -> float:
    """Return the CPU time that something takes in this process, in seconds."""
    begun = time.process_time()
    act()
    return time.process_time() - begun
