"""Other weights over recorded candidates: which answer would have been chosen. It costs nothing: no model is called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from flows.config import RunConfig
from flows.errors import FlowError
from flows.gold import judge
from flows.methods import JUDGE, Node, Tree
from flows.plan import config_of
from flows.replay import replayed
from scoring import PAIR, value_name
from store import Record, RunRow


class RerankSettings(BaseModel):
    """How a whole answer's value is made anew of the parts that its scorer recorded."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weights: dict[str, float] = Field(
        min_length=1,
        description="What each part counts: tuned and reference (nats), tokens, entropy; of a run with values "
        "log_ratio, and each of them by its name; judge, for the answers that one judged.",
    )
    per_token: bool = Field(False, description="Divide by the answer's weak tokens.")


def as_searched(config: RunConfig) -> dict[str, Any]:
    """The settings by which a value comes out as it did when the run searched."""
    if config.values:
        return {"weights": {PAIR: 1.0} | {value_name(value): value.weight for value in config.values}}
    beta = config.weak.beta
    return {"weights": {"tuned": beta, "reference": -beta}, "per_token": config.weak.per_token}


class NoSuchPart(FlowError):
    """A weight for a part that the scorer did not record."""

    exit_status = 2


@dataclass(frozen=True)
class Reranked:
    """A search's answer as chosen, and as it would be; with the judge's gold where the recipe has one."""

    prompt: str
    method: str
    seed: int
    candidates: int
    text: str
    gold: float | None
    new_text: str
    new_gold: float | None
    new_value: float


def rerank(record: Record, run: RunRow, settings: RerankSettings) -> list[Reranked]:
    """A line for each search that has a whole answer, and a judged one where the judge counts. Raises NoSuchPart."""
    name = config_of(run).gold
    gold = judge(name) if name else None
    found = []
    for row in record.searches(run.id):
        tree = replayed(record, run, row).tree
        pool = _candidates(tree, settings)
        if not pool or not row.answer:
            continue
        best = min(pool, key=lambda node: (-_value(node, settings), node.id))
        texts = str(row.answer["text"]), tree.answer(best)
        golds = [gold(row.prompt + text) if gold else None for text in texts]
        found.append(
            Reranked(
                row.prompt, row.method, row.seed, len(pool), texts[0], golds[0], texts[1], golds[1],
                _value(best, settings),
            )
        )  # fmt: skip
    if not found and JUDGE in settings.weights:
        raise NoSuchPart("no answer was judged", where=f"weights.{JUDGE}", mend="Leave it out, or run with a judge")
    return found


def _candidates(tree: Tree, settings: RerankSettings) -> list[Node]:
    """Whole answers; where the judge counts, those that it judged."""
    return [node for node in tree.complete if JUDGE not in settings.weights or JUDGE in node.parts]


def _value(node: Node, settings: RerankSettings) -> float:
    if missing := settings.weights.keys() - node.parts.keys():
        raise NoSuchPart(
            f"the scorer recorded no {min(missing)}",
            where=f"weights.{min(missing)}",
            mend=f"There are {', '.join(node.parts) or 'no parts'}",
        )
    value = sum(weight * node.parts[part] for part, weight in settings.weights.items())
    return value / max(node.parts.get("tokens", 1), 1) if settings.per_token else value
