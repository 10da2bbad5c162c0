"""A value of one's own: short answers."""

from __future__ import annotations

from collections.abc import Sequence

from scoring import Candidate


def brevity(candidates: Sequence[Candidate]) -> list[float]:
    """Minus the number of words."""
    return [-float(len(candidate.answer.split())) for candidate in candidates]
