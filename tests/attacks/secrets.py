"""Secrets of every kind, in every place where they are met: does one get through the redaction?

The corpus is made twice, of two seeds: see `corpus`. With the texts of the one the detectors were worked on. Those of
the other are the test: other values, names and contexts of the same kinds. What gets through there tells whether the
detectors know a kind, or only the texts that they were tried with. Whoever mends what was found in it takes a new seed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from tests.attacks import corpus, vendor_keys
from tests.attacks.corpus import Planted
from tests.attacks.ordinary import alarms
from tests.attacks.outcome import Outcome
from watcher.privacy.redaction import redact

WORKED_ON, HELD_OUT = "worked on", "other values and contexts"  # seeds
SETS = {
    WORKED_ON: "secret: {}",
    HELD_OUT: "secret, other values and contexts than those worked on: {}",
}
FALSE_ALARMS = 4.0  # a megabyte of code, at most


def outcomes(folder: Path) -> Iterable[Outcome]:
    """Return what came of each kind of secret, and of code that holds none."""
    del folder
    for seed in (WORKED_ON, HELD_OUT):
        tried: dict[str, int] = defaultdict(int)
        through: dict[str, dict[str, str]] = defaultdict(dict)
        for planted in chain(corpus.plant(seed), corpus.side_by_side(seed)):
            kind = planted.kind if planted.count == 1 else f"one of {planted.count} side by side"
            tried[kind] += 1
            if planted.remains_in(redact(planted.text)):
                through[kind][f"{planted.kind}, {planted.place}"] = reason(planted)
        for kind, count in tried.items():
            cases = through[kind]
            reasons = {case: why for case, why in cases.items() if why}
            yield Outcome(SETS[seed].format(kind), count, tuple(cases), reasons)
    megabytes, files, found = alarms()
    few = len(found) <= FALSE_ALARMS * megabytes
    yield Outcome(
        f"false alarms in {megabytes:.1f} MB of installed code, by file",
        files,
        found,
        dict.fromkeys(found, "looks as a secret does; no more of them than is put up with") if few else {},
        is_attack=False,
    )


def reason(planted: Planted) -> str:
    """Return why a secret may get through; empty where it may not."""
    if planted.kind == "mailgun key" and any(secret.count("-") == 2 for secret in planted.secrets):
        return "three hexadecimal numbers: nothing in them, nor where they stand, tells them from checksums"
    if planted.kind in vendor_keys.NAMED and planted.place.startswith("below its name in a table"):
        return "its name stands in another line, and nothing in the secret says that it is one"
    if planted.kind == "short token":
        return "sixteen letters with a digit or two: of one in a hundred the case changes no oftener than a name's"
    if "base64" in planted.place or "kubernetes secret" in planted.place:
        return "base64 too short to stand out, of a text without a word that tells a secret"
    return ""
