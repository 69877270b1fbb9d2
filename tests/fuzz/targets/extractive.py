"""The agent that needs no model: any batch has an answer, of its own tool uses and turns."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from tests.fuzz.targets.prompts import CASES as CASES
from tests.fuzz.targets.prompts import batch, grown
from watcher.agent import base
from watcher.agent.extractive import ExtractiveAgent

EXAMPLES = 20
LONGEST = 10_000  # characters of a field: no more than was kept of what it is of


def check(case: Any, folder: Path) -> None:
    asked = batch(case)
    reply = ExtractiveAgent().digest(asked)
    ids = {use.tool_use_id for use in asked.tool_uses}
    for one in reply.observations:
        assert one.title
        assert set(one.tool_use_ids) <= ids
        assert one.type in base.ObservationType
        for text in (one.title, one.subtitle, one.narrative, *one.facts):
            assert len(text) <= LONGEST
    assert set(reply.summaries) <= set(asked.wanted)
    for summary in reply.summaries.values():
        for field in fields(summary):
            assert len(getattr(summary, field.name)) <= LONGEST


def work(case: Any) -> None:
    ExtractiveAgent().digest(batch(case))


__all__ = ["CASES", "check", "grown", "work"]
