"""Secrets of every kind, in every place where they are met: does one get through the redaction?

The corpus is of two seeds: by one the detectors were worked on, the other they had never seen. See `corpus`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from tests.attacks import corpus, vendor_keys
from tests.attacks.corpus import Planted
from tests.attacks.ordinary import alarms
from tests.attacks.outcome import Outcome
from watcher.privacy.redaction import redact

WORKED_ON, HELD_OUT = "worked on", "held out"  # seeds
FALSE_ALARMS = 4.0  # a megabyte of code, at most


def outcomes(folder: Path) -> Iterable[Outcome]:
    """Return what came of each kind of secret, and of code that holds none."""
    del folder
    for seed in (WORKED_ON, HELD_OUT):
        tried: dict[str, int] = defaultdict(int)
        through: dict[str, dict[str, str]] = defaultdict(dict)
        for planted in corpus.plant(seed):
            tried[planted.kind] += 1
            if planted.remains_in(redact(planted.text)):
                through[planted.kind][f"{seed}: {planted.place}"] = reason(planted)
        for kind, count in tried.items():
            cases = through[kind]
            reasons = {case: why for case, why in cases.items() if why}
            yield Outcome(
                f"secret: {kind}" if seed == WORKED_ON else f"secret, {seed}: {kind}", count, tuple(cases), reasons
            )
    megabytes, found = alarms()
    too_many = len(found) > FALSE_ALARMS * megabytes
    kind = f"false alarms in {megabytes:.1f} MB of code: {len(found)}"
    yield Outcome(kind, len(found) or 1, tuple(found) if too_many else ())


def reason(planted: Planted) -> str:
    """Return why a secret may get through; empty where it may not."""
    if planted.kind == "mailgun key" and any(secret.count("-") == 2 for secret in planted.secrets):
        return "three hexadecimal numbers: nothing in them, nor where they stand, tells them from checksums"
    if planted.kind in vendor_keys.NAMED and planted.place.startswith("below its name in a table"):
        return "its name stands in another line, and nothing in the secret says that it is one"
    if "base64" in planted.place or "kubernetes secret" in planted.place:
        return "base64 too short to stand out, of a text without a word that tells a secret"
    return ""
