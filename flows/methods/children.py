"""From the strong model's continuations to the children of a node, before they are scored."""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from flows.methods.base import Estimate, Sample, Unit
from flows.methods.ladder import entropy, prior
from flows.methods.tree import CUT, child_id, cut_at_stop
from providers import Continuation, Finish


@dataclass(frozen=True)
class Chunk:
    """A distinct continuation of a node, or of the chunk `parent`: what a Child is before it has a value."""

    id: str
    text: str
    finish: str
    tokens: int
    count: int
    prior: Estimate
    parent: str | None = None


@dataclass(frozen=True)
class Chunks:
    """The distinct chunks, in the order of their first appearance and each after the one it is below, and the grown
    node's entropy.
    """

    chunks: tuple[Chunk, ...]
    entropy: Estimate


@dataclass(frozen=True)
class _Kept:
    """A continuation as far as it is kept, and the tokens of that part. `goes_on`: in the next piece."""

    continuation: Continuation
    tokens: int
    goes_on: bool = False

    @property
    def finish(self) -> str:
        return CUT if self.goes_on else self.continuation.finish


def chunks(
    ask: Sample,
    continuations: Sequence[Continuation],
    vocabulary: int,
    answer: str = "",
    stop: Sequence[str] = (),
    temperature: float = 1.0,
) -> Chunks:
    """The children of an ask's node, `answer` being the text so far; where the ask says `cut`, what is below them too.

    An empty chunk that ended by length is no progress, and filtered text no answer: neither becomes a child. A stop
    string that began in the answer so far ends it; within a chunk the provider has cut it already. `temperature` is
    the one that they were drawn at, `vocabulary` the number of tokens that the strong model knows.
    """
    kept = [_keep(continuation, ask, answer, stop) for continuation in continuations]
    usable = [k for k in kept if k.continuation.finish == "stop" or (_is_cut(k.continuation) and k.continuation.text)]
    found = _merged(ask.node, [_pieces(one, ask) for one in usable])
    return Chunks(tuple(found), entropy(continuations, vocabulary, temperature))


def _merged(root: str, answers: Sequence[Sequence[_Kept]]) -> Iterator[Chunk]:
    """A chunk for each distinct beginning of the answers' pieces, level by level."""
    waiting = deque([(root, answers)])
    while waiting:
        parent, below = waiting.popleft()
        merged: dict[str, list[Sequence[_Kept]]] = {}
        for pieces in below:
            text = pieces[0].continuation.text
            merged.setdefault(child_id(parent, text, pieces[0].finish), []).append(pieces)
        for node, equal in merged.items():
            kept = equal[0][0]
            estimate = prior([pieces[0].continuation for pieces in equal], len(below), len(merged))
            above = None if parent == root else parent
            yield Chunk(node, kept.continuation.text, kept.finish, kept.tokens, len(equal), estimate, above)
            if longer := [pieces[1:] for pieces in equal if len(pieces) > 1]:
                waiting.append((node, longer))


def _pieces(whole: _Kept, ask: Sample) -> list[_Kept]:
    """A longer text as the chunks that a search would have grown it by; all but the last end with CUT."""
    if not ask.cut:
        return [whole]
    text, tokens = whole.continuation.text, whole.continuation.tokens
    found: list[_Kept] = []
    start = first = 0
    entropies = [token.entropy or 0.0 for token in tokens or ()]
    if not "".join(token.text for token in tokens or ()).startswith(text):  # they do not tell where a token ends
        entropies = []
    for end, last in _cuts(text, _ends_of_tokens(whole, ask.max_tokens), entropies, ask):
        own = tokens[first:last] if tokens else None
        found.append(_Kept(Continuation(text[start:end], "length", own), last - first, goes_on=True))
        start, first = end, last
    if start < len(text) or not found:
        own = tokens[first:] if tokens else None
        rest = Continuation(text[start:], whole.continuation.finish, own)
        found.append(_Kept(rest, max(whole.tokens - first, 1)))
    return found


def _cuts(text: str, ends: Sequence[int], entropies: Sequence[float], ask: Sample) -> Iterator[tuple[int, int]]:
    """Where all pieces of a text but the last end, and how many of its tokens end by then. `ends` and `entropies`: of
    these tokens.
    """
    start = first = 0
    while first < len(ends):
        last = min(first + ask.cut, len(ends))
        if ask.least:
            rises = (at for at in range(first + ask.least, min(last, len(entropies))) if entropies[at] > ask.entropy)
            last = next(rises, last)
        end = ends[last - 1]
        unit = _end_of_unit(text[start:], ask.unit)
        if unit is not None and start + unit < end:
            end = start + unit
            last = bisect_left(ends, end, lo=first) + 1  # a token that reaches beyond counts
        if end >= len(text) or last >= len(ends):
            return
        if end > start:
            yield end, last
        start, first = end, last


def _ends_of_tokens(whole: _Kept, most: int) -> list[int]:
    """Where in the text each token ends. Where tokens are not told, bits of words stand for them, `most` at most: so
    that answers which begin alike are cut alike.
    """
    text, tokens = whole.continuation.text, whole.continuation.tokens
    if tokens:
        return [min(end, len(text)) for end in accumulate(len(token.text) for token in tokens)]
    return [*[bit.end() for bit in _BIT.finditer(text)][: most - 1], len(text)]


def _is_cut(continuation: Continuation) -> bool:
    return continuation.finish == "length"


def _keep(continuation: Continuation, ask: Sample, answer: str, stop: Sequence[str]) -> _Kept:
    """Up to a stop string over two chunks, which ends the answer; else up to the end of the first unit."""
    ended = continuation.finish != "filter" and _end_of_stop(answer, continuation.text, stop)
    if ended:
        return _cut(continuation, ended, "stop", ask.max_tokens)
    end = None if ask.cut else _end_of_unit(continuation.text, ask.unit)
    if end is not None and continuation.finish != "filter":
        return _cut(continuation, end, "length", ask.max_tokens)
    return _Kept(continuation, _tokens(continuation, ask.max_tokens))


def _end_of_stop(answer: str, text: str, stop: Sequence[str]) -> int:
    """Where in `text` the first stop string ends that began in the answer; 0 where none does."""
    longest = max(map(len, stop), default=1)
    tail = answer[max(len(answer) - longest + 1, 0) :]
    kept = cut_at_stop(tail + text, stop)
    if len(kept) >= len(tail):
        return 0
    found = min(len(s) for s in stop if (tail + text).startswith(s, len(kept)))
    return len(kept) + found - len(tail)


# White space after a sentence begins the next chunk, where tokenisers put it; a line's end ends its chunk. Both
# patterns look at a character once or twice: models do write thousands of dots.
_SENTENCE_END = re.compile(r"(?<![.!?])[.!?]+[\"')\]\u201d\u2019]*(?=\s)|[\u3002\uff01\uff1f]")
_LINE = re.compile(r"\s*\S[^\n]*\n+")


_BIT = re.compile(r"\s*\S{1,6}")


def _end_of_unit(text: str, unit: Unit) -> int | None:
    """Where the first sentence or line in the text ends; None where it is not over, or nothing comes after it."""
    if unit == "tokens":
        return None
    found = _SENTENCE_END.search(text) if unit == "sentence" else _LINE.match(text)
    return found.end() if found and found.end() < len(text) else None


def _cut(continuation: Continuation, end: int, finish: Finish, asked: int) -> _Kept:
    """The text up to `end`, with the tokens that it is made of: a token that reaches beyond counts."""
    whole = _tokens(continuation, asked)
    text = continuation.text[:end]
    if continuation.tokens is None:
        cut = Continuation(text, finish, None)
        return _Kept(cut, min(whole, math.ceil(whole * end / len(continuation.text))))
    count, length = 0, 0
    while length < end and count < len(continuation.tokens):
        length += len(continuation.tokens[count].text)
        count += 1
    return _Kept(Continuation(text, finish, continuation.tokens[:count]), count)


def _tokens(continuation: Continuation, asked: int) -> int:
    """A chunk cut by length is as long as was asked; of one that ended, the tokens where they are told."""
    if continuation.finish == "length":
        return asked
    return len(continuation.tokens) if continuation.tokens is not None else asked
