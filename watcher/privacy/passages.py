"""Owns what `<private>` … `</private>` keeps out of a text, whatever the tags look like.

Where it is in doubt, more is private: an opening tag without an end is one, a passage that nothing closes goes on to
the end, and passages within passages have to be closed one by one.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from watcher.privacy.plain import plain

MARK = "[private]"  # stands where something was

# An opening tag is one even where its `>` is missing, a closing tag is not. With white space before the name it has to
# end as a tag: `a < private` is a comparison. A Turkish keyboard has two more letters for an i.
_TAG = re.compile(
    r"<(?:(?P<close>\s*/\s*pr[iİı]vate\s*(?:\s[\w-]+\s*=[^<>]*)?>)"
    r"|pr[iİı]vate(?![\w.:-])(?:\s[^<>]*)?/?>?"
    r"|\s+pr[iİı]vate\s*(?:\s[\w-]+\s*=[^<>]*)?/?>)",
    re.IGNORECASE,
)
# What the CLI gives as the result of a tool use that the user has refused, before what was typed then.
_REFUSED = re.compile(r"\A[^\n]{0,40}user doesn't want to (?s:.{0,400}?)the user said:")
# What may stand beside private passages in a prompt that says nothing else: pictures, of which only their mark is kept.
_NOTHING_SAID = re.compile(r"(?:\s|\[private\]|\[(?:image|document)\]|\[Image #\d+\])*")


class Public(NamedTuple):
    """What of a text may be kept."""

    text: str
    is_wholly_private: bool  # nothing but private passages stood in it
    had_private: bool


def without_private(text: str) -> Public:
    """Return a text with each private passage replaced by a mark.

    A closing tag that closes nothing is left out, and the text before it stays. A tag counts as it is written, and
    without what cannot be seen in it: of a text with private passages, what is returned is plain.
    """
    if "<" not in text:
        return Public(text, is_wholly_private=False, had_private=False)
    public, had_private = _without_passages(text)
    if (seen := plain(public)) != public:
        seen, had_more = _without_passages(seen)
        had_private = had_private or had_more
        public = seen.strip() if had_private else public
    is_wholly_private = had_private and _NOTHING_SAID.fullmatch(public) is not None
    return Public(MARK if is_wholly_private else public, is_wholly_private, had_private)


def _without_passages(text: str) -> tuple[str, bool]:
    """Return a text without its passages, and whether there were any."""
    kept: list[str] = []
    depth = at = 0
    had_private = False
    for tag in _TAG.finditer(text):
        if not depth:
            kept.append(text[at : tag.start()])
        if tag["close"] is not None:
            depth = max(0, depth - 1)
        else:
            if not depth:
                kept.append(MARK)
            had_private = True
            depth += 1
        at = tag.end()
    if not depth:
        kept.append(text[at:])
    return "".join(kept).strip() if len(kept) > 1 else text, had_private


def without_private_refusal(result: str) -> str:
    """Return the result of a tool use; where the user has refused that with words, without what is private in them.

    In any other result such a tag is a file's or a program's.
    """
    refused = _REFUSED.match(result) if "<" in result else None
    return result[: refused.end()] + without_private(result[refused.end() :]).text if refused else result
