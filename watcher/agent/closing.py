"""Owns the reading of closing words without a model: which sentences say what was done, learned, decided, is left.

English first. Where the words are in another language, a few stems of the commonest are known, and what is not
recognised counts as something that was done: that is what closing texts are mostly about. What a heading says counts
more than the sentences below it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from watcher.agent.wording import bounded

_NEXT = re.compile(
    r"""
      ^\W*next\b(?!\.?js|-gen|door) | \bnext\s*: | \bnext\ (steps?|up|task|would|is)\b | \b(comes|come|is|do|up)\ next\b
    | \bto-?do\b | \bremain(s|ing)?\b | \bfollow[- ]?ups?\b
    | \bstill\ (need|to|open|miss|has|have|must|unfinished)
    | \b(needs?|ha(s|ve))\ to\ be\b | \bleft\ to\ do\b | \bwhat(\ is|'s)\ left\b
    | \b(you|we|I)('ll|\ will)?\ (should|could|must|may\ want\ to|might\ want\ to|(still\ )?need\ to)\b
    | \b(should|must)\ (still|also|then|be\ (added|done|fixed|checked|updated|tested|removed|moved|reviewed|written))\b
    | \b(want|shall|should)\ (me|I|we)\b.*\? | \blet\ me\ know\ if\b | \bnot\ (yet|done) | \bconsider\ \w+ing\b
    | ^(decide|check|verify|remember|make\ sure|don't\ forget)\b | \b(recommend|suggest)\b | \bout\ of\ scope\b
    | nächste[rns]?\ (Schritt|Aufgabe)|noch\ (zu|offen|nicht)|als\ Nächstes | prochain|reste\ à|il\ faut|à\ faire
    | siguientes?\ paso|pendiente|falta\b|próxim | prossim|da\ fare
    | 下一步|接下来|待办|还需|尚未 | 次のステップ|次は|残り|今後 | следующ\w+\ шаг|осталось | 다음\ ?단계
    """,
    re.VERBOSE | re.IGNORECASE,
)
_LEARNED = re.compile(
    r"""
      \bbecause\b | \broot\ cause | \b(problem|cause|reason|culprit|issue|bug|trick|catch)\ (was|is)\b
    | \b(caused|due|thanks)\ (by|to)\b | \bturn(s|ed)\ out\b
    | \b(found|discovered|noticed|learned|saw)\b(?!\ and\ fixed)
    | \bactually\b | \bnote\ that\b | \bexpects?\b | \brelies\ on\b | \bdepends\ on\b | \bonly\ works\b
    | \b(reverted|rolled\ back|(took|taken)\ (it|that|this)\ back)\b
    | weil\b|Ursache|lag\ an\b|stellt\ sich | parce\ que|à\ cause | porque|resulta\ que | perché
    | 因为|原因|发现 | 原因|ため | потому|причин
    """,
    re.VERBOSE | re.IGNORECASE,
)
_DECISION = re.compile(
    r"""
      \b(I|we)('ve|\ have)?\ (chose|chosen|decided|opted|went\ with|picked|settled\ on|kept\b.*\bbecause)
    | \brather\ than\b | \btrade-?offs?\b | entschieden | \bdécidé | \bdecidid | 决定 | решил
    """,
    re.VERBOSE | re.IGNORECASE,
)
_TROUBLE = re.compile(
    r"""
      \b(do|does|did|could|can|is|are)(n't|not|\ not)\ (work|help|pass|reproduce|run|build|compile|possible|supported)
    | \bstill\ (fail|break|crash|wrong) | \bfailed\ because\b | \bgave\ up\b
    | \bwithout\ success\b | \bnothing\ worked\b
    """,
    re.VERBOSE | re.IGNORECASE,
)


class Section(Enum):
    """What a part of a closing text is about."""

    DONE = auto()
    NEXT = auto()
    LEARNED = auto()
    DECISION = auto()
    TROUBLE = auto()


# The first that matches counts. "Changes:" and "The following files:" head what was done, as all else does.
_HEADINGS = tuple(
    (section, re.compile(pattern, re.VERBOSE | re.IGNORECASE))
    for section, pattern in (
        (
            Section.TROUBLE,
            r"""
              \b(what|approach|attempt)\b.*\b(failed|didn't|doesn't|did\ not|does\ not)\b | ^fail | caveat | limitation
            | known\ (issue|problem) | \brisks?\b | \bwarnings?\b | open\ questions? | not\ working
            | einschränkung|fehlgeschlagen | limitaci|limites | 已知问题
            """,
        ),
        (
            Section.NEXT,
            r"""
              \bnext\b | follow[- ]?ups?\b | \bto-?do | \bremain(s|ing)?\b | \bleft\b | still\ (open|to\ do|needed)
            | not\ (yet\ )?done | \bopen\ (points?|items?|tasks?|issues?) | recommend | suggest
            | nächste|offen|empfehl | prochain | siguiente|pendiente|próxim | prossim
            | 下一步|待办|建议 | 次の|残り | следующ | 다음
            """,
        ),
        (
            Section.DECISION,
            r"\bdecisions?\b|\bdesign\b|trade-?off|rationale|entscheidung|décision|decisi[óo]n|决定|решени",
        ),
        (
            Section.LEARNED,
            r"""
              \bcauses?\b | \bwhy\b | \bfindings?\b | \bwhat\ I\ (found|learned)\b | ^how\b(?!\ to) | \bproblem\b
            | (was|is)\ not$ | ruled\ out | background | explanation | analysis | \banswer\b
            | ursache|warum|erkenntnis | causa\b | 原因 | причин
            """,
        ),
    )
)
_HEADING = re.compile(r"\s*(?:#{1,6}\s+(.+?)\s*#*|\*\*(.+?)\*\*:?|([^.!?。]{2,60}):)\s*$")
_LABEL = re.compile(r"\s*\*\*([^*]{2,40}?)(?::\*\*|\*\*:)\s+(?=\S)")  # "**Root cause:** the rest of the paragraph"
_BULLET = re.compile(r"\s*(?:[-*•+]|\d{1,2}[.)]|\[[ x]\])\s+(?:\[[ xX]\]\s+)?")
_OPEN_BOX = re.compile(r"\s*(?:[-*+]\s+)?\[ \]\s")
_TICKED_BOX = re.compile(r"\s*(?:[-*+]\s+)?\[[xX]\]\s")
_BEFORE_AND_AFTER = re.compile(r"(?i)\b(before|after|old|from|vorher|nachher|alt|avant|antes)\b|之前")
_TABLE_RULE = re.compile(r"\s*\|?[ :|-]*-{2,}[ :|-]*\|?\s*$")
# An abbreviation or a file name has no space after its dot, or a small letter.
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]*`]*\s+(?=[\"'(`*]*[^a-z\s])|(?<=[。！？])\s*")
_NEXT_LABEL = re.compile(r"(?i)^(next( steps?)?|to-?do)\s*:\s*(?=\S)")
_GREETING = re.compile(r"(?i)^(done|great|perfect|sure|ok(ay)?|all set|certainly|of course)[.!,]*$")
_FILLER = re.compile(
    r"(?i)^(?:let me know if (?:you have|there|anything|you need)|(?:I )?hope (?:this|that) helps"
    r"|(?:I'm )?happy to help|feel free to|you're (?:all set|welcome)|great question"
    r"|you're (?:absolutely )?right)\b.{0,80}$"
)


@dataclass(frozen=True, slots=True)
class Closing:
    """A closing text taken apart, each part in the order of the text."""

    done: tuple[str, ...]
    learned: tuple[str, ...]  # decisions included
    decisions: tuple[str, ...]
    next_steps: tuple[str, ...]
    troubles: tuple[str, ...]  # what failed, and what to beware of
    answer: tuple[str, ...]  # what was done, learned and decided, as it was said


def read(text: str) -> Closing:
    """Sort a closing text's sentences, bullets and rows by what they say."""
    found: dict[Section, list[str]] = {section: [] for section in Section}
    learned: list[str] = []
    answer: list[str] = []
    for sentence, heading in _statements(text):
        section = _section_of(sentence, heading)
        if section is Section.DONE and sentence.endswith("?"):
            continue
        said = _NEXT_LABEL.sub("", sentence) if section is Section.NEXT else sentence
        found[section].append(said)
        if section in (Section.LEARNED, Section.DECISION):
            learned.append(said)
        if section in (Section.DONE, Section.LEARNED, Section.DECISION):
            answer.append(said)
    return Closing(
        done=tuple(found[Section.DONE]),
        learned=tuple(learned),
        decisions=tuple(found[Section.DECISION]),
        next_steps=tuple(found[Section.NEXT]),
        troubles=tuple(found[Section.TROUBLE]),
        answer=tuple(answer),
    )


def gist(text: str, limit: int = 200) -> str:
    """Return the first thing that a text says in more than two words, on one line; "Thanks" says nothing."""
    said = sentences(text)
    return bounded(next((one for one in said if len(one.split()) > 2 or not one.isascii()), "".join(said[:1])), limit)


def sentences(text: str) -> tuple[str, ...]:
    """Return all that a text says, sentence by sentence."""
    return tuple(sentence for sentence, _ in _statements(text))


def _section_of(sentence: str, heading: Section | None) -> Section:
    """Return what a sentence is about: what its heading says, else what it says itself."""
    if heading is not None:
        return heading
    patterns = (
        (Section.NEXT, _NEXT),
        (Section.DECISION, _DECISION),
        (Section.LEARNED, _LEARNED),
        (Section.TROUBLE, _TROUBLE),
    )
    return next((section for section, pattern in patterns if pattern.search(sentence)), Section.DONE)


def _statements(text: str) -> Iterator[tuple[str, Section | None]]:
    """Yield every sentence, bullet or row, and what the heading above it says it is about; None where it does not."""
    section: Section | None = None
    label: Section | None = None  # of a paragraph
    is_lasting = False  # "What is left:" names the list below it alone
    has_list = is_after_gap = False  # what stands below a section's list is not of it any more
    for line in _prose(text):
        if not line.strip(" \t-=*_|"):
            label, is_after_gap = None, True
            continue
        if heading := _HEADING.fullmatch(line):
            section, label = _heading(next(filter(None, heading.groups()))), None
            is_lasting, has_list, is_after_gap = not heading.group(3), False, False
            continue
        named = _LABEL.match(line)
        label = (_heading(named[1]) if named else None) or label
        said = line[named.end() :] if named and label else line
        bullet = _BULLET.match(said)
        if not bullet and (not is_lasting or (has_list and is_after_gap and not line[:1].isspace())):
            section = None
        has_list, is_after_gap = has_list or bool(bullet), False
        about = Section.NEXT if _OPEN_BOX.match(line) else Section.DONE if _TICKED_BOX.match(line) else label or section
        told = said[bullet.end() :] if bullet else said
        # A decision and its reason are one thing.
        for sentence in [told] if about is Section.DECISION else _SENTENCE_END.split(told):
            plain = sentence.strip().replace("**", "")
            if plain and not _GREETING.match(plain) and not _FILLER.match(plain):
                yield plain, about


def _heading(text: str) -> Section | None:
    return next((section for section, pattern in _HEADINGS if pattern.search(text.rstrip(": "))), None)


def _prose(text: str) -> Iterator[str]:
    """Yield the lines of a text without its code, and a table's rows as plain text without its head."""
    lines = text.splitlines()
    is_code = False
    between = " – "
    for line, following in zip(lines, [*lines[1:], ""], strict=True) if lines else ():
        if line.lstrip().startswith("```"):
            is_code = not is_code
        elif is_code or (_TABLE_RULE.match(line) and "|" in line):
            continue
        elif line.lstrip().startswith("|"):
            if _TABLE_RULE.match(following):
                between = " → " if _BEFORE_AND_AFTER.search(line) else ": " if line.count("|") == 3 else " – "
            else:
                yield between.join(cell.strip() for cell in line.strip().strip("|").split("|") if cell.strip())
        else:
            yield line
