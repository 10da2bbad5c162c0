"""What a run has done since it was started here."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Tally:
    """What a run has done since it was started here, for whoever watches it."""

    run: str = ""
    searches: int = 0
    done: int = 0
    nodes: int = 0
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    best: dict[str, float] = field(default_factory=dict)
    """Best value so far, by search."""
