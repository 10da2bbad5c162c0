"""Out of the record: a run's answers as samples, one JSON object a line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flows.gold import judge
from flows.plan import config_of
from flows.replay import replayed
from store import Record, RunRow


def answers(record: Record, run: RunRow) -> Iterator[dict[str, Any]]:
    """Every whole answer that the run's searches found, not the chosen one alone: prompt, text, whether it ended by
    itself (`complete`), the scorer's `value`, `gold` where the recipe has a judge, and the search it is of.
    """
    name = config_of(run).gold
    gold = judge(name) if name else None
    for row in record.searches(run.id):
        tree = replayed(record, run, row).tree
        for node in tree.complete:
            text = tree.answer(node)
            line = {"prompt": row.prompt, "text": text, "complete": node.finish == "stop", "value": node.value}
            if gold:
                line["gold"] = gold(row.prompt + text)
            yield line | {"search": row.id, "node": node.id, "method": row.method, "seed": row.seed}
