"""What estimates from an API's replies are worth, against a model on this machine that tells everything.

python -m tests.benchmarks.rungs

At beginnings of answers, chunks are drawn from Gemma 3 270M. Each rung sees what an endpoint of its kind would tell: of
the node's entropy and of each chunk's prior; the model's own whole distribution and probabilities stand against them.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from flows.methods import Estimate
from flows.methods.ladder import entropy, prior, weak_prior
from providers import Continuation, ContinuationRequest, StrongModel, StrongSettings, open_strong_model
from scoring import Candidate, Scorer, WeakSettings, model_dir, open_scorer

PROMPTS = Path(__file__).parents[2] / "flows" / "data" / "held_out.txt"
CHOICES, CHUNK, VOCABULARY = 4, 5, 262_144
SHOWN = 20, 10, 5, 1


@dataclass(frozen=True)
class Node:
    """A text and what was drawn after it, with all that the model tells; the weak pair's parts of it and of each."""

    drawn: Sequence[Continuation]
    parts: Mapping[str, float]
    children: Sequence[Mapping[str, float]]


async def nodes(strong: StrongModel, scorer: Scorer, prompts: Sequence[str], depth: int) -> list[Node]:
    """Along one answer to each prompt, `depth` nodes."""
    found = []
    for number, prompt in enumerate(prompts):
        answer = ""
        for level in range(depth):
            seed = number * depth + level
            request = ContinuationRequest(prompt, answer, CHOICES, CHUNK, 0.7, top_k=50, seed=seed, logprobs=SHOWN[0])
            drawn = (await strong.send(request)).continuations
            texts = [Candidate(prompt, text, False) for text in (answer, *(answer + c.text for c in drawn))]
            before, *after = [score.parts for score in scorer.score(texts)]
            found.append(Node(drawn, before, after))
            answer += drawn[0].text
            if drawn[0].finish == "stop" or not drawn[0].text:
                break
    return found


def showing(drawn: Sequence[Continuation], top: int) -> list[Continuation]:
    """What an API would tell that shows so many of the likeliest tokens; none: no log-probabilities at all."""
    return [
        replace(
            c,
            tokens=tuple(replace(t, top=t.top[:top], entropy=None, exact=False) for t in c.tokens)
            if top and c.tokens
            else None,
        )
        for c in drawn
    ]


def entropies(found: Sequence[Node]) -> dict[str, list[tuple[float, float]]]:
    """By rung: the estimate and the truth, in bits."""
    pairs: dict[str, list[tuple[float, float]]] = {}
    for node in found:
        true = entropy(node.drawn, VOCABULARY).value
        for top in SHOWN:
            told = entropy(showing(node.drawn, top), VOCABULARY)
            pairs.setdefault(told.rung, []).append((told.value, true))
        pairs.setdefault("weak reference", []).append((node.parts["entropy"], true))
        pairs.setdefault("none: 0", []).append((0.0, true))
    return pairs


def priors(found: Sequence[Node]) -> dict[str, list[tuple[float, float]]]:
    """By rung: the estimate and the geometric mean of the model's own probabilities, as logarithms (nats)."""
    pairs: dict[str, list[tuple[float, float]]] = {}
    for node in found:
        texts = [c.text for c in node.drawn]
        for chunk, parts in zip(node.drawn, node.children, strict=True):
            if not chunk.tokens:
                continue
            true = math.log(prior([chunk], CHOICES, CHOICES).value)
            uniform = Estimate(1 / CHOICES, "uniform")
            told = {
                "frequency": texts.count(chunk.text) / CHOICES,
                "weak reference": weak_prior(uniform, node.parts, parts).value,
                "uniform": uniform.value,
            }
            for rung, value in told.items():
                pairs.setdefault(rung, []).append((math.log(value), true))
    return pairs


def table(title: str, unit: str, pairs: Mapping[str, Sequence[tuple[float, float]]]) -> Table:
    shown = Table("rung", f"bias, {unit}", f"mean error, {unit}", "correlation", title=title)
    for rung, of in pairs.items():
        bias = statistics.fmean(told - true for told, true in of)
        error = statistics.fmean(abs(told - true) for told, true in of)
        flat = len({told for told, _ in of}) == 1
        correlation = "" if flat else f"{statistics.correlation(*zip(*of, strict=True)):.2f}"
        shown.add_row(rung, f"{bias:+.2f}", f"{error:.2f}", correlation)
    return shown


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=int, default=16)
    parser.add_argument("--depth", type=int, default=6, help="nodes along one answer to each prompt")
    given = parser.parse_args()
    prompts = PROMPTS.read_text(encoding="utf-8").splitlines()[: given.prompts]
    scorer = open_scorer(WeakSettings())
    strong = open_strong_model(StrongSettings(model="local/embedded"), model_dir)
    found = await nodes(strong, scorer, prompts, given.depth)
    await strong.close()
    console = Console()
    console.print(table(f"entropy of the next token, {len(found)} nodes", "bits", entropies(found)))
    console.print(table(f"log prior, {len(found) * CHOICES} chunks of {CHUNK} tokens", "nats", priors(found)))


if __name__ == "__main__":
    asyncio.run(main())
