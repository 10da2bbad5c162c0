"""Outcomes told by hand, for trees that are worked out in tests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flows.methods import AlignTreeConfig, Ask, Child, Estimate, Grown, Limits, Method, Sample, child_id, root_id

PROMPT = "Once"
ROOT = root_id(PROMPT)


def child(
    parent: str, text: str, value: float, *, tokens: int = 2, finish: str = "length", prior: float = 0.5
) -> Child:
    return Child(child_id(parent, text, finish), text, finish, tokens, 1, Estimate(prior, "logprobs"), value)


def grown(*children: Child, entropy_bits: float = 0.0) -> Grown:
    return Grown(children, Estimate(entropy_bits, "top-5 geometric"), sum(c.tokens for c in children), 1)


def plain(iterations: int, **options: Any) -> AlignTreeConfig:
    """K = 2 chunks of 1 token, each node grown once."""
    return AlignTreeConfig(
        **{"limits": Limits(iterations=iterations), "children": 2, "chunk_tokens": 1, "widening": None, **options}
    )


def samples(method: Method) -> list[Sample]:
    """What a search without a judge asks for."""
    asks = method.ask()
    assert all(isinstance(ask, Sample) for ask in asks)
    return [ask for ask in asks if isinstance(ask, Sample)]


def texts(method: Method, asks: Iterable[Ask]) -> list[str]:
    return [method.tree.answer(method.tree.nodes[ask.node]) for ask in asks]
