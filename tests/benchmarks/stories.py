"""What a curiosity search came to, by what guided it, and by what it never saw: another model, and counts of words.

aligntree compare story ... -o both
python -m tests.benchmarks.stories both/rows.csv --against aligntree

Each answer is read again under the recipe's values: by SmolLM2, which guided, and by Gemma 3 270M, which no search saw
and which has other tokens. What rises for the one alone was made for its eyes.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from flows.compare import Row, mean_by_prompt, read_rows
from flows.config import load_config
from flows.gold import judge
from flows.intervals import Interval
from providers.embedded import model_file
from scoring import Candidate, WeakSettings, open_scorer
from scoring.coherence import repetition

Figures = dict[str, list[float]]
"""By name, one number for each answer."""


def read(rows: Sequence[Row]) -> Figures:
    found: Figures = {"value": [row.value or 0.0 for row in rows]}
    for name, reference in (("SmolLM2", "embedded"), ("Gemma", str(model_file()))):
        for part, numbers in _read(reference, rows).items():
            found[f"{name}: {part}"] = numbers
    distinct = judge("distinct")
    found["distinct-2 of the answer"] = [distinct(row.answer) for row in rows]
    found["repetition"] = [repetition(row.prompt, row.answer) for row in rows]
    found["words"] = [float(len(row.answer.split())) for row in rows]
    return found


def _read(reference: str, rows: Sequence[Row]) -> Figures:
    """Curiosity, coherence and what they are of, without the end of an answer."""
    weak = WeakSettings(reference=reference, adapter=None, beta=0.0, batch_tokens=1024)
    scorer = open_scorer(weak, load_config("story").values)
    scores = scorer.score([Candidate(row.prompt, row.answer, complete=False) for row in rows])
    parts = ("curiosity", "curiosity.surprisal", "coherence", "coherence.fit")
    return {"value": [score.value for score in scores]} | {
        part.rpartition(".")[2]: [score.parts[part] for score in scores] for part in parts
    }


def told(rows: Sequence[Row], found: Figures, against: str) -> Iterator[tuple[str, str, Interval, Interval | None]]:
    """Of each figure and method: its mean, and its gain over `against`, pair by pair, with 95% intervals."""
    for name, numbers in found.items():
        by_method: dict[str, dict[tuple[str, int], float]] = {}
        for row, number in zip(rows, numbers, strict=True):
            by_method.setdefault(row.method, {})[row.prompt, row.seed] = number
        other = by_method[against]
        for method, of in by_method.items():
            gains = [(key[0], number - other[key]) for key, number in of.items() if key in other]
            mean = mean_by_prompt([(prompt, number) for (prompt, _), number in of.items()])
            yield name, method, mean, mean_by_prompt(gains) if method != against else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=Path)
    parser.add_argument("--against", default="aligntree")
    given = parser.parse_args()
    rows = [row for row in read_rows(given.rows) if row.answer]
    table = Table("figure", "method", "mean", f"gain over {given.against}")
    for name, method, mean, gain in told(rows, read(rows), given.against):
        shown = f"{gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]" if gain else ""
        table.add_row(name, method, f"{mean.value:.3f}", shown)
    Console().print(table)


if __name__ == "__main__":
    main()
