"""Owns how a condition is told, and how bad it is."""

from __future__ import annotations

from watcher.memory.lookup import CurrentCondition
from watcher.memory.states import ConditionName
from watcher.service.diagnosis.finding import State, span

# What does not come right by itself; all else is tried again, or done in another way meanwhile.
_WRONG = {
    (ConditionName.AGENT, "login"),
    (ConditionName.AGENT, "missing"),
    (ConditionName.AGENT, "outdated"),
    (ConditionName.AGENT, "refused"),
    (ConditionName.TRANSCRIPTS, "unreadable"),
    (ConditionName.SETTINGS, "refused"),
}


def gravity(condition: CurrentCondition) -> State:
    """Say how bad a condition is; that a budget is spent is as it should be."""
    if condition.name == ConditionName.BUDGET:
        return State.OK
    return State.WRONG if (condition.name, condition.state) in _WRONG else State.WARNING


def told(condition: CurrentCondition, now: int) -> str:
    """Return a condition in words, all but what to do about it."""
    text = f"{condition.state} since {span(now - condition.since)}: {condition.text}"
    if condition.until is None:
        return text
    left = condition.until - now
    return f"{text}; next try {f'in {span(left)}' if left > 0 else 'now'}"
