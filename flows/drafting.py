"""The draft of weak-to-strong decoding: the weak pair's words made pieces of an answer."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from flows.methods import CUT, Chunk, Draft, Estimate, Keep, child_id, cut_at_stop
from scoring import Drafted

_DRAFTED = Estimate(1.0, "drafted")
"""A prior is the strong model's; what it did not write has none."""
NO_ENTROPY = Estimate(0.0, "drafted")
"""Nor was the strong model asked what could have come instead."""


def pieces(ask: Draft, drafted: Drafted, stop: Sequence[str]) -> list[Chunk]:
    """Of so many tokens each as the ask says, one below the other, up to the first stop string; none of no text."""
    whole = "".join(drafted.tokens)
    text = cut_at_stop(whole, stop)
    finish = "stop" if drafted.complete or len(text) < len(whole) else "length"
    ends = [min(end, len(text)) for end in accumulate(map(len, drafted.tokens))]
    ends = ends[: next((count for count, end in enumerate(ends, 1) if end >= len(text)), 0)]
    found: list[Chunk] = []
    start = tokens = 0
    parent = ask.node
    for first in range(0, len(ends), ask.window):
        end, last = ends[min(first + ask.window, len(ends)) - 1], first + ask.window >= len(ends)
        tokens += min(ask.window, len(ends) - first)
        if end > start:
            piece, how = text[start:end], finish if last else CUT
            above = None if parent == ask.node else parent
            parent = child_id(parent, piece, how)
            found.append(Chunk(parent, piece, how, tokens, 1, _DRAFTED, above))
            start, tokens = end, 0
    return found


def kept(ask: Keep) -> Chunk:
    """What is kept of a piece."""
    return Chunk(child_id(ask.node, ask.text, CUT), ask.text, CUT, ask.tokens, 1, _DRAFTED)
