"""Owns what comes of one kind of attack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Outcome:
    """One kind of attack or of secret."""

    kind: str  # a few words: "secret: aws-access-key", "another user: group can read the home"
    tried: int  # cases
    through: tuple[str, ...] = ()  # the names of the cases that got through
    reasons: Mapping[str, str] = field(default_factory=dict)  # why a case may get through, by its name
    is_attack: bool = True  # false: what must not be taken for one; no part of the sum

    @property
    def unexplained(self) -> tuple[str, ...]:
        """The cases that got through, and should not have."""
        return tuple(case for case in self.through if case not in self.reasons)
