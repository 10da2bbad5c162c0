"""What a weak pair has read, kept by prefix: a radix tree of token ids for each prompt, bounded by bytes.

A segment is a run of tokens that no kept text leaves halfway, with what the pair made of them. A text that begins like
kept ones costs only what comes after the longest common prefix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

import torch

from scoring.backbone import common_prefix


@dataclass(frozen=True)
class Reading:
    """What both models made of some tokens; in every tensor the tuned model comes first, then the reference.

    Shapes: `keys` and `values` (2, layers, heads, tokens, dimension), in the models' number format; `log_probs` (2,
    tokens), nats, float64: of each token after those before it, NaN where it is no part of an answer.
    """

    keys: torch.Tensor
    values: torch.Tensor
    log_probs: torch.Tensor

    def __len__(self) -> int:
        return self.log_probs.shape[1]

    @property
    def bytes(self) -> int:
        return self.keys.nbytes + self.values.nbytes + self.log_probs.nbytes

    def part(self, start: int, stop: int) -> Reading:
        """Of tokens `start` to `stop`: a view."""
        tokens = slice(start, stop)
        return Reading(self.keys[..., tokens, :], self.values[..., tokens, :], self.log_probs[:, tokens])

    def kept(self, start: int, stop: int) -> Reading:
        """As `part`, in memory of its own."""
        part = self.part(start, stop)
        return Reading(part.keys.clone(), part.values.clone(), part.log_probs.clone())


@dataclass(eq=False)
class _Segment:
    ids: tuple[int, ...]
    reading: Reading | None
    """None at a prompt's root, which has no tokens."""
    parent: _Segment | None
    prompt: str
    children: dict[int, _Segment] = field(default_factory=dict)
    used: int = 0


class Prefixes:
    """Readings by prompt and token prefix. Beyond `limit` bytes those unused longest go, leaves first."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._roots: dict[str, _Segment] = {}
        self._clock = count(1)
        self.bytes = 0

    def length(self, prompt: str, ids: Sequence[int]) -> int:
        """Of the longest kept prefix of `ids`."""
        return self._walk(prompt, ids)[1]

    def find(self, prompt: str, ids: Sequence[int]) -> list[Reading]:
        """The readings, in order, that together are of the longest kept prefix of `ids`."""
        path, length = self._walk(prompt, ids)
        found = []
        for segment in path:
            assert segment.reading is not None
            found.append(segment.reading.part(0, min(len(segment.ids), length)))
            length -= len(segment.ids)
        return found

    def keep(self, prompt: str, ids: Sequence[int], reading: Reading) -> None:
        """Keep the reading of the last tokens of `ids`; all before them must be kept."""
        path, length = self._walk(prompt, ids)
        start = len(ids) - len(reading)
        assert length >= start, "what comes before is kept"
        if length == len(ids):
            return
        below = self._split(path, length) if path else self._root(prompt)
        kept = reading.kept(length - start, len(reading))
        new = _Segment(tuple(ids[length:]), kept, below, prompt, used=next(self._clock))
        below.children[ids[length]] = new
        self.bytes += kept.bytes

    def shrink(self) -> None:
        """Forget what was unused longest, down to the limit. A segment that others go on from outlives them."""
        if self.bytes <= self.limit:
            return
        leaves = [leaf for root in self._roots.values() for leaf in _leaves(root)]
        while self.bytes > self.limit and leaves:
            leaves.sort(key=lambda leaf: -leaf.used)
            above = []
            while self.bytes > self.limit and leaves:
                parent = self._forget(leaves.pop())
                if parent is not None:
                    above.append(parent)
            leaves += above

    def _forget(self, leaf: _Segment) -> _Segment | None:
        """Drop a leaf; its parent where that is a leaf now."""
        parent, reading = leaf.parent, leaf.reading
        assert parent is not None and reading is not None
        del parent.children[leaf.ids[0]]
        self.bytes -= reading.bytes
        if parent.children:
            return None
        if parent.reading is None:
            del self._roots[parent.prompt]
            return None
        return parent

    def _root(self, prompt: str) -> _Segment:
        return self._roots.setdefault(prompt, _Segment((), None, None, prompt))

    def _walk(self, prompt: str, ids: Sequence[int]) -> tuple[list[_Segment], int]:
        """Segments of the longest kept prefix, the last of them perhaps in part, and the prefix's length."""
        path: list[_Segment] = []
        segment, length, now = self._roots.get(prompt), 0, next(self._clock)
        while segment is not None and length < len(ids):
            segment = segment.children.get(ids[length])
            if segment is None:
                break
            shared = common_prefix(segment.ids, ids[length : length + len(segment.ids)])
            segment.used = now
            path.append(segment)
            length += shared
            if shared < len(segment.ids):
                break
        return path, length

    def _split(self, path: Sequence[_Segment], length: int) -> _Segment:
        """The segment that ends where `length` tokens of a path do; made by cutting its last in two if need be."""
        last = path[-1]
        at = length - sum(len(segment.ids) for segment in path[:-1])
        if at == len(last.ids):
            return last
        assert last.parent is not None and last.reading is not None
        upper = _Segment(last.ids[:at], last.reading.kept(0, at), last.parent, last.prompt, used=last.used)
        last.parent.children[upper.ids[0]] = upper
        last.reading, last.ids, last.parent = last.reading.kept(at, len(last.ids)), last.ids[at:], upper
        upper.children[last.ids[0]] = last
        return upper


def _leaves(segment: _Segment) -> list[_Segment]:
    found, waiting = [], list(segment.children.values())
    while waiting:
        one = waiting.pop()
        waiting += one.children.values()
        if not one.children:
            found.append(one)
    return found
