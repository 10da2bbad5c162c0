"""From the strong model's continuations to the children of a node, before they are scored."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from flows.methods.base import Estimate, Sample, Unit
from flows.methods.ladder import entropy, prior
from flows.methods.tree import child_id, cut_at_stop
from providers import Continuation, Finish


@dataclass(frozen=True)
class Chunk:
    """A distinct continuation of a node: what a Child is before it has a value."""

    id: str
    text: str
    finish: str
    tokens: int
    count: int
    prior: Estimate


@dataclass(frozen=True)
class Chunks:
    """The distinct chunks, in the order of their first appearance, and the grown node's entropy."""

    chunks: tuple[Chunk, ...]
    entropy: Estimate


@dataclass(frozen=True)
class _Kept:
    """A continuation as far as it is kept, and the tokens of that part."""

    continuation: Continuation
    tokens: int


def chunks(
    ask: Sample,
    continuations: Sequence[Continuation],
    vocabulary: int,
    answer: str = "",
    stop: Sequence[str] = (),
    temperature: float = 1.0,
) -> Chunks:
    """The children of an ask's node, `answer` being the text so far.

    An empty chunk that ended by length is no progress, and filtered text no answer: neither becomes a child. A stop
    string that began in the answer so far ends it; within a chunk the provider has cut it already. `temperature` is
    the one that they were drawn at, `vocabulary` the number of tokens that the strong model knows.
    """
    kept = [_keep(continuation, ask, answer, stop) for continuation in continuations]
    usable = [k for k in kept if k.continuation.finish == "stop" or (_is_cut(k.continuation) and k.continuation.text)]
    merged: dict[str, list[_Kept]] = {}
    for one in usable:
        merged.setdefault(child_id(ask.node, one.continuation.text, one.continuation.finish), []).append(one)
    found = tuple(
        Chunk(
            id=node,
            text=equal[0].continuation.text,
            finish=equal[0].continuation.finish,
            tokens=equal[0].tokens,
            count=len(equal),
            prior=prior([one.continuation for one in equal], len(usable), len(merged)),
        )
        for node, equal in merged.items()
    )
    return Chunks(found, entropy(continuations, vocabulary, temperature))


def _is_cut(continuation: Continuation) -> bool:
    return continuation.finish == "length"


def _keep(continuation: Continuation, ask: Sample, answer: str, stop: Sequence[str]) -> _Kept:
    """Up to a stop string over two chunks, which ends the answer; else up to the end of the first unit."""
    ended = continuation.finish != "filter" and _end_of_stop(answer, continuation.text, stop)
    if ended:
        return _cut(continuation, ended, "stop", ask.max_tokens)
    end = _end_of_unit(continuation.text, ask.unit)
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
