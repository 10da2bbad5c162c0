"""What a run has done since it was started here."""

from __future__ import annotations

from collections.abc import Callable
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
    spent: int = 0
    """Nano-dollars, by the whole run so far, the probe included; 0 where no price is known."""
    most: int | None = None
    """Nano-dollars that the run may cost; none: no limit."""
    best: dict[str, float] = field(default_factory=dict)
    """Best value so far, by search."""
    trouble: str = ""
    """What the endpoint suffers from just now."""
    heard: Callable[[str], None] | None = None
    """Told of trouble as it comes and goes."""

    def say(self, trouble: str) -> None:
        self.trouble = trouble
        if self.heard:
            self.heard(trouble or "endpoint well again")
