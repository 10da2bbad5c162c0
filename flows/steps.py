"""A search step by step, as its record tells it: what was grown, what that brought, the best answer by then."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from flows.methods import Ask, Method
from flows.plan import config_of
from flows.replay import replay, start
from store import Record, RunRow, SearchRow, TellRow


@dataclass(frozen=True)
class Step:
    """What was told to the method, and what it knew then. `best`: value of the best whole answer; `seconds` at work."""

    number: int
    node: str | None
    text: str
    outcome: str
    nodes: int
    best: float | None
    tokens: int
    seconds: float


Watch = Callable[[Method, Iterable[str]], object]
"""Shown the method before its first outcome and after each, when it has asked anew; and the ids of the nodes that it
was told of or asks for: visits change on the paths to these alone.
"""


def steps(record: Record, run: RunRow, search: SearchRow, watch: Watch | None = None) -> list[Step]:
    """Replays the search: no model is called. Raises RecordMismatch where its record does not fit its method."""
    begun, history = start(record, config_of(run), run.finding, search), record.history(search.id)
    tree, then = begun.method.tree, list[tuple[int, float | None]]()
    grown = {ask.number: ask.node for ask in begun.open_asks}

    def look(after: int, asks: Sequence[Ask]) -> None:
        grown.update((ask.number, ask.node) for ask in asks)
        then.append((len(tree.nodes) - 1, tree.best))
        if watch:
            told = _told_of(history.tells[after - 1], grown) if after else []
            watch(begun.method, [*(ask.node for ask in asks), *told])

    replay(begun.method, history, begun.open_asks, look=look)
    found, tokens = [], 0
    for tell, ((before, _), (nodes, best)) in zip(history.tells, pairwise(then), strict=True):
        told = tell.outcome
        tokens += told.get("tokens", 0)
        outcome = f"{nodes - before} new" if tell.kind == "grown" else _otherwise(tell)
        node = None if tell.ask is None or tell.kind == "judged" else tree.nodes[grown[tell.ask]]
        found.append(
            Step(
                tell.position + 1, node.id if node else None, node.text if node else "", outcome, nodes, best, tokens,
                float(told["seconds"]),
            )
        )  # fmt: skip
    return found


def _told_of(tell: TellRow, grown: Mapping[int, str]) -> list[str]:
    """The node that was grown, and what it was grown by."""
    children = [node for node, _ in tell.outcome.get("children", ())]
    return children if tell.ask is None else [grown[tell.ask], *children]


def _otherwise(tell: TellRow) -> str:
    """What it came to where nothing was grown."""
    if tell.kind == "likely":
        return f"the likelihood of {len(tell.outcome['read'])} tokens"
    if tell.kind != "judged":
        return f"{tell.kind}: {tell.outcome['reason']}"
    verdicts = tell.outcome["verdicts"]
    return f"judged: {sum(reason is None for _, reason in verdicts)} of {len(verdicts)}"
