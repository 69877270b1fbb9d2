"""Owns plain words: what kind of change is asked for, and how long a text may be."""

from __future__ import annotations

import re
from collections.abc import Iterable

from watcher.agent.base import ObservationType

_TYPES = (
    (ObservationType.BUGFIX, r"\b(fix|bug|broken|crash|fail|error|repair|wrong|regress|hotfix|behebe|corrig|修)"),
    (
        ObservationType.REFACTOR,
        r"\b(refactor|renam|clean|simplif|reorgani|restructur|extract|split|move|tidy|verschieb|umbenenn|重构)",
    ),
    (ObservationType.FEATURE, r"\b(add|implement|new|create|build|introduce|support|write|make|ergänz|ajout|添加)"),
)


def type_of(prompts: Iterable[str]) -> ObservationType:
    """Return what kind of change a human asked for: the kind whose word comes first."""
    text = " ".join(prompts).lower()
    found = [(match.start(), kind) for kind, pattern in _TYPES if (match := re.search(pattern, text))]
    return min(found, key=lambda one: one[0])[1] if found else ObservationType.CHANGE


def bounded(text: str, limit: int) -> str:
    """Return a text on one line and no longer than `limit` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1].rstrip()}…"


def joined(sentences: Iterable[str], limit: int) -> str:
    """Return as many whole sentences as fit, as one text; the first one cut, if not even that fits."""
    text = ""
    for sentence in dict.fromkeys(filter(None, sentences)):
        ended = sentence if re.search(r"[.!?…。！？:;]$", sentence) else f"{sentence}."
        if text and len(text) + len(ended) >= limit:
            break
        text = f"{text} {ended}".strip()
    return bounded(text, limit)
