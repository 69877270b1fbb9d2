"""Owns the reading of plain words without a model: which sentences of a closing text say what.

English first. Where the words are in another language, a few stems of the commonest are known, and what is
not recognised counts as something that was done: that is what closing texts are mostly about.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from watcher.agent.base import ObservationType

_NEXT = re.compile(
    r"""
      \bnext\b(?!\.?js|-gen|door) | \bto-?do\b | \bremain(s|ing)?\b | \bfollow[- ]?ups?\b
    | \bstill\ (need|to|fail|open|miss|has|have|must|unfinished)
    | \b(needs?|ha(s|ve))\ to\ be\b | \bleft\ to\ do\b | \bwhat(\ is|'s)\ left\b
    | \b(you|we|I)('ll|\ will)?\ (should|could|must|may\ want\ to|might\ want\ to|(still\ )?need\ to)\b
    | \b(should|must)\ (still|also|then|be\ (added|done|fixed|checked|updated|tested|removed|moved|reviewed|written))\b
    | \b(want|shall|should)\ (me|I|we)\b.*\? | \blet\ me\ know\ if\b | \bnot\ (yet|done) | \bconsider\ \w+ing\b
    | \b(recommend|suggest)\b | \bout\ of\ scope\b
    | nächste|noch\ (zu|offen|nicht)|als\ Nächstes | prochain|reste\ à|il\ faut|à\ faire
    | siguiente|pendiente|falta\b|próxim | prossim|da\ fare
    | 下一步|接下来|待办|还需|尚未 | 次の|残り|今後 | следующ|осталось | 다음
    """,
    re.VERBOSE | re.IGNORECASE,
)
_LEARNED = re.compile(
    r"""
      \bbecause\b | \broot\ cause | \b(problem|cause|reason|culprit|issue|bug|trick|catch)\ (was|is)\b
    | \b(caused|due|thanks)\ (by|to)\b | \b(found|discovered|noticed|learned|saw)\b | \bturn(s|ed)\ out\b
    | \bactually\b | \bnote\ that\b | \bexpects?\b | \brelies\ on\b | \bdepends\ on\b | \bonly\ works\b
    | weil\b|Ursache|lag\ an\b|stellt\ sich | parce\ que|à\ cause | porque|resulta\ que | perché
    | 因为|原因|发现 | 原因|ため | потому|причин
    """,
    re.VERBOSE | re.IGNORECASE,
)
_TODO_HEADING = re.compile(
    r"(next|follow|to-?do|remain|left|open|recommend|suggest|nächste|offen|prochain|siguiente|pendiente|下一步|待办|次)",
    re.IGNORECASE,
)
_HEADING = re.compile(r"\s*(?:#{1,6}\s+(.+?)\s*#*|\*\*(.+?)\*\*:?|([^.!?。]{2,60}):)\s*$")
_BULLET = re.compile(r"\s*(?:[-*•+]|\d{1,2}[.)]|\[[ x]\])\s+(?:\[[ xX]\]\s+)?")
# An abbreviation or a file name has no space after its dot, or a small letter.
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]*`]*\s+(?=[\"'(`*]*[^a-z\s])|(?<=[。！？])\s*")
_TYPES = (
    (ObservationType.BUGFIX, r"\b(fix|bug|broken|crash|fail|error|repair|wrong|regress|hotfix|behebe|corrig|修)"),
    (ObservationType.REFACTOR, r"\b(refactor|renam|clean|simplif|reorgani|restructur|extract|split|move|tidy|重构)"),
    (ObservationType.FEATURE, r"\b(add|implement|new|create|build|introduce|support|write|make|ergänz|ajout|添加)"),
)
_NEXT_LABEL = re.compile(r"(?i)^(next( steps?)?|to-?do)\s*:\s*(?=\S)")
_GREETING = re.compile(r"(?i)^(done|great|perfect|sure|ok(ay)?|all set|certainly|of course)[.!,]*$")


@dataclass(frozen=True, slots=True)
class Closing:
    """A closing text taken apart, each part in the order of the text."""

    done: tuple[str, ...]
    learned: tuple[str, ...]
    next_steps: tuple[str, ...]


def closing(text: str) -> Closing:
    """Sort a closing text's sentences and bullets by what they say."""
    done: list[str] = []
    learned: list[str] = []
    next_steps: list[str] = []
    for sentence, is_todo in _statements(text):
        if is_todo or _NEXT.search(sentence):
            next_steps.append(_NEXT_LABEL.sub("", sentence))
        elif _LEARNED.search(sentence):
            learned.append(sentence)
        elif not sentence.endswith("?"):
            done.append(sentence)
    return Closing(tuple(done), tuple(learned), tuple(next_steps))


def type_of(prompts: Iterable[str]) -> ObservationType:
    """Return what kind of change a human asked for: the kind whose word comes first."""
    text = " ".join(prompts).lower()
    found = [(match.start(), kind) for kind, pattern in _TYPES if (match := re.search(pattern, text))]
    return min(found, key=lambda one: one[0])[1] if found else ObservationType.CHANGE


def first_sentence(text: str, limit: int = 200) -> str:
    """Return the first thing a text says, on one line."""
    return next((bounded(sentence, limit) for sentence, _ in _statements(text)), "")


def sentences(text: str) -> tuple[str, ...]:
    """Return all that a text says, sentence by sentence."""
    return tuple(sentence for sentence, _ in _statements(text))


def bounded(text: str, limit: int) -> str:
    """Return a text on one line and no longer than `limit` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1].rstrip()}…"


def joined(sentences: Iterable[str], limit: int) -> str:
    """Return as many whole sentences as fit, as one text; the first one cut, if not even that fits."""
    text = ""
    for sentence in dict.fromkeys(sentences):
        ended = sentence if re.search(r"[.!?…。！？:;]$", sentence) else f"{sentence}."
        if text and len(text) + len(ended) >= limit:
            break
        text = f"{text} {ended}".strip()
    return bounded(text, limit)


def _statements(text: str) -> Iterator[tuple[str, bool]]:
    """Yield every sentence or bullet, and whether it stands under a heading such as "Next steps"."""
    is_todo = is_section = is_code = False
    for line in text.splitlines():
        if line.lstrip().startswith("```"):
            is_code = not is_code
            continue
        if is_code or not line.strip(" \t-=*_|"):
            continue
        if heading := _HEADING.fullmatch(line):
            is_todo = bool(_TODO_HEADING.search(next(filter(None, heading.groups()))))
            is_section = not heading.group(3)
            continue
        bullet = _BULLET.match(line)
        if not bullet and not is_section:
            is_todo = False  # "What is left:" names the list below it, and the list is over
        for sentence in _SENTENCE_END.split(line[bullet.end() :] if bullet else line):
            plain = sentence.strip().replace("**", "")
            if plain and not _GREETING.match(plain):
                yield plain, is_todo
