"""Owns secrets that a declaration tells, some lines above: Terraform's `variable "db_pass" { default = "…" }`."""

from __future__ import annotations

import re

from watcher.privacy.assignments import KEYWORDS, kind_of
from watcher.privacy.syntax import QUOTE, Span
from watcher.privacy.values import Assigned, is_about, is_secret

ANCHORS = ('variable "', "variable \\")
_VARIABLE = re.compile(
    rf"variable[ \t]{{1,4}}{QUOTE}(?P<name>[\w-]{{1,80}}){QUOTE}[ \t]{{0,4}}\{{"
    rf"[^}}]{{0,800}}?\bdefault[ \t]{{0,40}}=[ \t]{{0,4}}(?P<quote>{QUOTE})(?P<secret>[^\s\"'`\\]{{4,400}})(?P=quote)"
)


def find(text: str, start: int, _end: int) -> Span | None:
    """Return the default of a variable of Terraform, where the variable is named as a secret is."""
    match = _VARIABLE.match(text, start)
    if match is None or not _is_telling(match["name"]):
        return None
    if not is_secret(Assigned(match["name"], match["secret"], is_quoted=True, is_tight=False)):
        return None
    return Span(*match.span("secret"), kind_of(match["name"]))


def _is_telling(name: str) -> bool:
    for written in KEYWORDS:
        keyword = written.rstrip("=: '\"\\<>]|,%\r\n")
        at = name.lower().find(keyword)
        if at >= 0 and not is_about(name[: at + len(keyword)], name[at + len(keyword) :]):
            return True
    return False
