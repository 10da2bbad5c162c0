"""From the strong model's continuations to the children of a node, before they are scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flows.methods.base import Estimate, Sample
from flows.methods.ladder import entropy, prior
from flows.methods.tree import child_id
from providers import Continuation


@dataclass(frozen=True)
class Chunk:
    """A distinct continuation of a node: what a Child is before it has a value."""

    id: str
    text: str
    finish: str
    tokens: int
    count: int
    prior: Estimate


def chunks(
    ask: Sample, continuations: Sequence[Continuation], vocabulary: int, answer: str = "", stop: Sequence[str] = ()
) -> tuple[tuple[Chunk, ...], Estimate]:
    """The ask's distinct chunks, in the order of their first appearance, and the grown node's entropy (bits).

    An empty chunk that ended by length is no progress, and filtered text no answer: neither becomes a child. A stop
    string that began in the `answer` so far ends it here; within a chunk the provider has cut it already.
    """
    ended = [_end_at_stop(answer, continuation, stop) for continuation in continuations]
    usable = [c for c in ended if c.finish == "stop" or (c.finish == "length" and c.text)]
    merged: dict[str, list[Continuation]] = {}
    for continuation in usable:
        merged.setdefault(child_id(ask.node, continuation.text, continuation.finish), []).append(continuation)
    found = tuple(
        Chunk(
            id=node,
            text=equal[0].text,
            finish=equal[0].finish,
            tokens=_tokens(equal[0], ask.max_tokens),
            count=len(equal),
            prior=prior(equal, len(usable), len(merged)),
        )
        for node, equal in merged.items()
    )
    return found, entropy(continuations, vocabulary)


def _end_at_stop(answer: str, continuation: Continuation, stop: Sequence[str]) -> Continuation:
    for text in stop:
        tail = answer[-(len(text) - 1) :] if len(text) > 1 else ""
        at = (tail + continuation.text).find(text)
        if 0 <= at < len(tail):
            return Continuation("", "stop", () if continuation.tokens is not None else None)
    return continuation


def _tokens(continuation: Continuation, asked: int) -> int:
    """A chunk cut by length is as long as was asked; of one that ended, the tokens where they are told."""
    if continuation.finish == "length":
        return asked
    return len(continuation.tokens) if continuation.tokens is not None else asked
