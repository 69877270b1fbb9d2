"""Owns the reading of a model's answer, as tolerantly as models write.

Not with an XML parser: one raw `<` in a narrative would cost the whole answer. Known tags are looked for
instead, and everything else is text. A tag counts where it makes sense and is text where it does not: a
narrative may well talk about `<summary>`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields

from watcher.agent import faults
from watcher.agent.base import Batch, Observation, ObservationType, Summary
from watcher.agent.prompts import CONCEPTS
from watcher.privacy.redaction import redact

_FIELDS = {
    "observation": (
        "type",
        "title",
        "subtitle",
        "narrative",
        "facts",
        "fact",
        "concepts",
        "concept",
        "tool_uses",
    ),
    "summary": tuple(f.name for f in fields(Summary)),
}

_OBSERVATIONS = 50
_TITLE, _SUBTITLE, _NARRATIVE, _FACT, _SUMMARY_FIELD = 200, 400, 4_000, 500, 2_000  # characters
_FACTS = 20
_ATTRIBUTES = 200  # characters of a tag that are looked at

_BLOCK = r"(?:observation|summary)"
_FENCES = r"(?:\s|```\w*)*"
# A block's tags where they cannot be meant literally: an opening one before a field of its own, a closing one
# before the next block or the end.
_BOUNDARY = re.compile(
    "|".join(rf"<{block}\b[^<>]*>(?=\s*<(?:{'|'.join(names)})\b)" for block, names in _FIELDS.items())
    + rf"|</{_BLOCK}\s*>(?={_FENCES}(?:<{_BLOCK}\b|\Z))",
    re.IGNORECASE,
)
_OPENING = re.compile(r"<(observation|summary)\b([^<>]*)>", re.IGNORECASE)
_NOTHING = re.compile(r"<(nothing|none|observations|no_observations)\s*/?>", re.IGNORECASE)
_CUT_TAG = re.compile(r"</?[a-z_]*\Z", re.IGNORECASE)
_CDATA, _CDATA_END = "<![CDATA[", "]]>"
_ENTITY = re.compile(r"&(?:lt|gt|amp|quot|apos|#39|#34|#x27|#x22);", re.IGNORECASE)
_ENTITIES = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "apos": "'", "#39": "'", "#34": '"'}
_ENTITIES |= {"#x27": "'", "#x22": '"'}
_TURN = re.compile(r"\bturn\s*=\s*[\"']?\s*(\d+)", re.IGNORECASE)
_BULLET = re.compile(r"\A\s*(?:[-*•+]|\d{1,2}[.)])\s+")
_EMPTY_WORDS = {"none", "n/a", "na", "nothing", "-", "–", "—", "null", "empty"}
_TYPES = {"fix": "bugfix", "bug": "bugfix", "featureadd": "feature", "docs": "change", "finding": "discovery"}


class _Ahead:
    """Finds what comes next in a text, and remembers it: else the time to read it would grow with the square."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._found: dict[re.Pattern[str], tuple[int, re.Match[str] | None]] = {}

    def next(self, pattern: re.Pattern[str], start: int) -> re.Match[str] | None:
        """Return the first match at `start` or behind it; asked in the order of the text."""
        since, found = self._found.get(pattern, (sys.maxsize, None))
        if since > start or (found and found.start() < start):
            found = pattern.search(self.text, start)
            self._found[pattern] = (start, found)
        return found


@dataclass(slots=True)
class _Block:
    """One block of the answer: the texts of its fields as they stand, and how it ended."""

    name: str
    attributes: str
    texts: dict[str, list[str]] = field(default_factory=dict)
    loose: str = ""  # all its text, for one without any field
    cut: str = ""  # the field in which the answer ended

    def first(self, name: str) -> str:
        return self.texts.get(name, [""])[0]


def read(text: str, batch: Batch) -> tuple[tuple[Observation, ...], dict[int, Summary]]:
    """Return an answer's observations and, by the numbers of their turns, the summaries that the batch wants.

    Of half an answer, what is there counts: whole observations, one that was cut behind its title, a summary of
    which one field was begun. Observations without all the summaries that were wanted are kept too: they are paid
    for, and a model that never writes one would otherwise be asked the same again until all is lost. But they have
    to be of something: a batch without tool uses has to bring a summary, or the asking would have no end.

    Raises:
        AgentError: `unreadable`; summaries were wanted and neither one nor such observations are there, or nothing
            is there but prose.
    """
    text = redact(text)  # as the model wrote it: a secret over two lines is none once they are joined
    text = text.encode("utf-8", "replace").decode()  # half a surrogate pair is no text to whoever stores it
    blocks = list(_blocks(text))
    observations = [_observation(block, batch) for block in blocks if block.name == "observation"]
    kept = tuple(one for one in observations if one)[:_OBSERVATIONS]
    if not batch.wanted:
        if not blocks and not _NOTHING.search(text):
            raise faults.unreadable("it is empty" if not text.strip() else "no <observation> in it")
        return kept, {}
    summaries = _summaries([block for block in blocks if block.name == "summary"], batch)
    if summaries or (kept and batch.tool_uses):
        return kept, summaries
    raise faults.unreadable("it is empty" if not text.strip() else "no <summary> in it")


def _blocks(text: str) -> Iterator[_Block]:
    """Yield the blocks of an answer in order."""
    text = _CUT_TAG.sub("", text)
    certain = {m.group(1).lower() for m in _OPENING.finditer(text) if _BOUNDARY.match(text, m.start())}
    ahead = _Ahead(text)
    position = 0
    while opening := ahead.next(_OPENING, position):
        position = opening.end()
        name = opening.group(1).lower()
        # Where a kind of block has real openings, a tag with nothing of a block behind it is mere mention.
        if name not in certain or _BOUNDARY.match(text, opening.start()):
            block = _Block(name, opening.group(2))
            position = _fill(block, ahead, position)
            yield block


def _fill(block: _Block, ahead: _Ahead, start: int) -> int:
    """Read a block's fields from `start` on, and return where it ended."""
    tag = re.compile(rf"<({'|'.join(_FIELDS[block.name])})\b[^<>]*?(/?)>|</{block.name}\s*>", re.IGNORECASE)
    position = start
    while True:
        found, boundary = ahead.next(tag, position), ahead.next(_BOUNDARY, position)
        if boundary and (not found or boundary.start() < found.start()):
            found = None  # another block begins: this one was never closed
        if not found or found.group(0).startswith("</"):
            end = found.start() if found else boundary.start() if boundary else len(ahead.text)
            block.loose = ahead.text[start:end]
            return found.end() if found else end
        name = found.group(1).lower()
        if found.group(2):  # <notes/>
            position = found.end()
            continue
        position, value = _value(block, name, ahead, found.end())
        block.texts.setdefault(name, []).append(value)


def _value(block: _Block, name: str, ahead: _Ahead, start: int) -> tuple[int, str]:
    """Return where a field ends, and its text: at its closing tag, if that is not another block's already."""
    text = ahead.text
    closing = ahead.next(re.compile(rf"</{name}\s*>", re.IGNORECASE), start)
    boundary = ahead.next(_BOUNDARY, start)
    if closing:
        # Another block's if that block opened such a field; else what looks like a block is only quoted.
        again = re.compile(rf"<{name}\b", re.IGNORECASE)
        is_inside = not boundary or boundary.start() >= closing.start()
        if is_inside or not again.search(text, boundary.start() if boundary else start, closing.start()):
            return closing.end(), text[start : closing.start()]
    # Never closed: up to the next field, or to the end of the block.
    end = boundary.start() if boundary else len(text)
    others = [other for other in _FIELDS[block.name] if not name.startswith(other)]
    sibling = re.compile(rf"<(?:{'|'.join(others)})\b[^<>]*>|</{block.name}\s*>", re.IGNORECASE)
    found = ahead.next(sibling, start)
    if found and found.start() < end:
        end = found.start()
    elif not boundary:
        block.cut = name
    return end, text[start:end]


def _observation(block: _Block, batch: Batch) -> Observation | None:
    """Return what a block says; None where it says nothing."""
    narrative = _bounded(_plain(block.first("narrative")), _NARRATIVE)
    title = "" if block.cut == "title" else _line(block.first("title"), _TITLE)
    facts = tuple(_items(block, "facts", "fact"))
    title = title or _line(narrative.split("\n", 1)[0], _TITLE)
    if not title:
        return None
    return Observation(
        type=_type(block.first("type") or block.attributes),
        title=title,
        subtitle=_line(block.first("subtitle"), _SUBTITLE),
        narrative=f"{narrative} …" if block.cut == "narrative" else narrative,
        facts=tuple(_bounded(fact, _FACT) for fact in facts)[:_FACTS],
        concepts=_concepts(block),
        tool_use_ids=_tool_use_ids(" ".join(block.texts.get("tool_uses", [])), batch),
        turn=_turn(block, [turn.number for turn in batch.turns]),
    )


def _summaries(blocks: Iterable[_Block], batch: Batch) -> dict[int, Summary]:
    """Say which summary is whose: by the number it carries, else by its place; one alone is of the last turn."""
    numbered: dict[int, list[Summary]] = {}
    others: list[Summary] = []
    for block in blocks:
        if summary := _summary(block):
            number = _turn(block, [turn.number for turn in batch.turns])
            others.append(summary) if number is None else numbered.setdefault(number, []).append(summary)
    # One nobody asked for would be of a turn that goes on.
    found = {number: _fullest(summaries) for number, summaries in numbered.items() if number in batch.wanted}
    missing = [number for number in batch.wanted if number not in found]
    if others and len(others) == len(missing):
        found |= dict(zip(missing, others, strict=True))
    elif others and batch.wanted[-1] in missing:
        found[batch.wanted[-1]] = _fullest(others)
    return found


def _turn(block: _Block, numbers: Iterable[int]) -> int | None:
    """Return the turn that a block says it is of, where it is one of these."""
    named = _TURN.search(block.attributes[:_ATTRIBUTES])
    # A model may write any number, one of more digits than Python reads too.
    return next((number for number in numbers if named and str(number) == named[1]), None)


def _summary(block: _Block) -> Summary:
    values = {name: _bounded(_plain(block.first(name)), _SUMMARY_FIELD) for name in _FIELDS["summary"]}
    if values.get(block.cut):
        values[block.cut] += " …"
    if not block.texts:  # a summary in one piece
        values["completed"] = _bounded(_plain(block.loose), _SUMMARY_FIELD)
    return Summary(**values)


def _fullest(summaries: list[Summary]) -> Summary:
    """Return the one that says most; the later one of two that are alike."""
    return max(reversed(summaries), key=lambda one: sum(bool(getattr(one, name)) for name in _FIELDS["summary"]))


def _items(block: _Block, container: str, item: str) -> Iterator[str]:
    """Yield a list's items, whether they are elements, bullets or lines."""
    for raw in [*block.texts.get(container, []), *block.texts.get(item, [])]:
        parts = re.split(rf"</?{item}\b[^<>]*>", raw, flags=re.IGNORECASE)
        for part in parts if len(parts) > 1 else raw.split("\n"):
            if text := _line(_BULLET.sub("", part, count=1)):
                yield text


def _type(text: str) -> ObservationType:
    """Return the type that is meant; a change is what everything is."""
    named = re.search(r"type\s*=\s*[\"']?([\w-]+)", text)
    word = re.sub(r"[^a-z]", "", (named.group(1) if named else text).lower())
    try:
        return ObservationType(_TYPES.get(word, word))
    except ValueError:
        return ObservationType.CHANGE


def _concepts(block: _Block) -> tuple[str, ...]:
    """Return those of the known concepts that are named, however they are spelled."""
    words = [w for item in _items(block, "concepts", "concept") for w in re.split(r"[,;|]", item)]
    named = [re.sub(r"[\s_]+", "-", word.strip().lower()) for word in words]
    return tuple(dict.fromkeys(name for name in named if name in CONCEPTS))


def _tool_use_ids(text: str, batch: Batch) -> tuple[str, ...]:
    """Return the ids for numbers such as "1, 3-5"; a number that was never given out means nothing."""
    uses = batch.tool_uses
    numbers: dict[int, None] = {}
    for first, last in re.findall(r"(\d{1,6})(?:\s*[-–]\s*(\d{1,6}))?", text):
        # Clamped before it is counted out: a model may write any number.
        numbers |= dict.fromkeys(range(int(first), min(int(last or first), len(uses)) + 1))
    return tuple(uses[n - 1].tool_use_id for n in numbers if 1 <= n <= len(uses))


def _plain(raw: str) -> str:
    """Return a field's text: entities undone once, layout of the XML undone, empty words emptied."""
    _, is_quoted, inner = raw.partition(_CDATA)
    inner, is_closed, _ = inner.partition(_CDATA_END)
    text = inner if is_quoted and is_closed else _ENTITY.sub(lambda m: _ENTITIES[m.group(0)[1:-1].lower()], raw)
    text = "\n".join(line.strip() for line in text.strip().split("\n"))
    text = re.sub(r"\n{3,}", "\n\n", text)
    return "" if text.lower().rstrip(".") in _EMPTY_WORDS else text


def _line(raw: str, limit: int = _FACT) -> str:
    return _bounded(" ".join(_plain(raw).split()), limit)


def _bounded(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"
