"""Owns what is kept of a hook's event: a few fields that are no text of the session, and digests.

An event holds what was asked and answered, and whatever a later Claude Code adds. `hooks/hook.py` keeps the same of it,
under Pythons that cannot import this; here are the events of older hooks, which kept all, and recorded ones. The words
themselves stand in the transcript; a digest of the last ones tells whether they stand there already.
"""

from __future__ import annotations

import hashlib
import json

KEPT = ("transcript_path", "cwd", "reason")
DIGEST = "digest"  # of the whole event, which tells it from the next
CLOSING_DIGEST = "closing_digest"  # of `last_assistant_message`
# Why a session may end; what is not known to be one of these could be any text. `replayed` is our own.
REASONS = ("bypass_permissions_disabled", "clear", "logout", "other", "prompt_input_exit", "replayed", "resume")
REDUCED = '{"digest":"'  # how the JSON begins of which nothing is left to take


def reduced(event: str) -> str:
    """Return what is kept of an event, as JSON; what is kept of one already, as it is."""
    said = _decode(event)
    if event.startswith(REDUCED) and set(said) <= {DIGEST, CLOSING_DIGEST, *KEPT}:
        return event
    kept = {DIGEST: digest(event), **{key: text for key in KEPT if (text := _text(said, key))}}
    if kept.get("reason") not in REASONS:
        kept.pop("reason", None)
    if closing := _text(said, "last_assistant_message"):
        kept[CLOSING_DIGEST] = digest(closing)
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":"))


def fields(event: str) -> dict[str, str]:
    """Return what an event says, by the names that are kept; what it does not say is empty."""
    said = _decode(reduced(event))
    return {key: _text(said, key) for key in (*KEPT, CLOSING_DIGEST)}


def digest(text: str) -> str:
    """Return what tells a text from others; the same where it stands in an event and where it stands in a transcript.

    What is broken there, half a surrogate pair say, is shown as a question mark or as U+FFFD: neither counts.
    """
    plain = text.strip().replace("?", "").replace("\ufffd", "")
    return hashlib.blake2b(plain.encode("utf-8", "ignore"), digest_size=8).hexdigest()


def _text(said: dict[str, object], key: str) -> str:
    value = said.get(key)
    # Half a surrogate pair, as Node writes it, is no text to anything further on.
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def _decode(event: str) -> dict[str, object]:
    try:
        said = json.loads(event)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}
