"""Owns dates as users type them: 2026-11-01, today, yesterday, 12h, 3d, 2w."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from watcher.errors import UsageError

_HINT = "2026-11-01, 2026-11-01T14:30, today, yesterday, 12h, 3d or 2w"
_AGO = re.compile(r"([0-9]{1,4})([hdw])")
_HOURS = {"h": 1, "d": 24, "w": 7 * 24}
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def since(option: str, text: str, now: int) -> int:
    """Return the first moment (epoch) that is meant; a day begins at midnight, where the user is.

    Raises:
        UsageError: it is no date.
    """
    return _epoch(option, _moment(option, text, now)[0])


def until(option: str, text: str, now: int) -> int:
    """Return the last moment (epoch) that is meant; a day is meant whole.

    Raises:
        UsageError: it is no date.
    """
    moment, is_day = _moment(option, text, now)
    return _epoch(option, moment, days=1) - 1 if is_day else _epoch(option, moment)


def _moment(option: str, text: str, now: int) -> tuple[datetime, bool]:
    """Return a moment, and whether it is the beginning of a day that is meant."""
    word = text.strip().lower()
    present = datetime.fromtimestamp(now / 1000)  # noqa: DTZ006 - the user's own time, summer time or not
    midnight = present.replace(hour=0, minute=0, second=0, microsecond=0)
    if word in ("today", "yesterday"):
        return midnight - timedelta(days=word == "yesterday"), True
    try:
        if ago := _AGO.fullmatch(word):
            return present - timedelta(hours=int(ago[1]) * _HOURS[ago[2]]), False
        return datetime.fromisoformat(word.upper()), _DAY.fullmatch(word) is not None
    except (ValueError, OverflowError):
        raise UsageError(f"{option} {text!r} is no date", hint=f"{option} {_HINT}") from None


def _epoch(option: str, moment: datetime, days: int = 0) -> int:
    """Return a moment, or the one so many days later."""
    try:
        return round((moment + timedelta(days=days)).timestamp() * 1000)
    except (ValueError, OverflowError, OSError):  # OSError: Windows, before 1970
        raise UsageError(f"{option}: {moment:%Y} is too far away", hint=f"{option} {_HINT}") from None
