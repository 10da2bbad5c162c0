"""From the wire to the contract: completions in both logprob shapes, stop strings cut, usage checked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from providers.base import Continuation, ContinuationRequest, Finish, Token, Usage

_FINISH: Mapping[str, Finish] = {
    "stop": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "max_tokens": "length",
    "content_filter": "filter",
}


class Malformed(ValueError):
    """A reply that cannot be read as completions."""


def continuations(choices: Sequence[Mapping[str, Any]], request: ContinuationRequest) -> tuple[Continuation, ...]:
    """At most `request.n` continuations from the choices of a completions response; raises Malformed."""
    if not choices:
        raise Malformed("no choices in the reply")
    return tuple(_continuation(choice, request) for choice in choices[: request.n])


def _continuation(choice: Mapping[str, Any], request: ContinuationRequest) -> Continuation:
    text = choice.get("text")
    if not isinstance(text, str):
        raise Malformed("a choice without text")
    finish = _FINISH.get(choice.get("finish_reason") or "")
    if finish is None:
        raise Malformed(f"a choice that ended by {choice.get('finish_reason')!r}")
    tokens = _tokens(choice.get("logprobs"), request.logprobs)
    cut = min((at for at in map(text.find, request.stop) if at >= 0), default=None)
    if cut is None:
        return Continuation(text, finish, tokens)
    return Continuation(text[:cut], "stop", _up_to(tokens, cut))


def _up_to(tokens: tuple[Token, ...] | None, length: int) -> tuple[Token, ...] | None:
    """The tokens that begin within the first `length` characters: what follows a stop string is no evidence."""
    if tokens is None:
        return None
    kept, seen = [], 0
    for token in tokens:
        if seen >= length:
            break
        kept.append(token)
        seen += len(token.text)
    return tuple(kept)


def _tokens(logprobs: Mapping[str, Any] | None, most: int) -> tuple[Token, ...] | None:
    """Tokens with their `most` likeliest alternatives; servers append a chosen token that is not among them."""
    if not logprobs:
        return None
    if logprobs.get("content"):  # the chat shape, which llama.cpp uses on completions as well
        return tuple(
            Token(
                t["token"],
                _finite(t["logprob"]),
                _top(((o["token"], o["logprob"]) for o in t.get("top_logprobs") or ()), most),
            )
            for t in logprobs["content"]
        )
    if not logprobs.get("tokens"):
        return None
    texts, values = logprobs["tokens"], logprobs["token_logprobs"]
    tops = logprobs.get("top_logprobs") or [None] * len(texts)
    if not len(texts) == len(values) == len(tops):
        raise Malformed(f"{len(texts)} tokens with {len(values)} logprobs and {len(tops)} top lists")
    return tuple(
        Token(text, _finite(value), _top((top or {}).items(), most))
        for text, value, top in zip(texts, values, tops, strict=True)
    )


def _top(pairs: Iterable[tuple[str, Any]], most: int) -> tuple[tuple[str, float], ...]:
    told = [(text, _finite(logprob)) for text, logprob in pairs]
    return tuple(sorted(told, key=lambda pair: -pair[1])[:most])


def _finite(logprob: Any) -> float:
    if not isinstance(logprob, int | float) or math.isnan(logprob) or logprob == math.inf:
        raise Malformed(f"a logprob of {logprob!r}")
    return max(float(logprob), -1e9)  # some servers write -inf or -9999 for "never"


def usage(
    reported: Mapping[str, Any] | None,
    found: Sequence[Continuation],
    request: ContinuationRequest,
    input_estimate: int,
) -> Usage:
    """Tokens by class. Where the server's figure is missing or below what we can count, ours stands, as an estimate.

    llama.cpp counts one choice of n; some servers send zeros or nothing.
    """
    given = reported or {}
    details = given.get("prompt_tokens_details") or {}
    counted = sum(_counted(c, request) for c in found)
    told_input, told_output = given.get("prompt_tokens") or 0, given.get("completion_tokens") or 0
    return Usage(
        input=told_input or input_estimate,
        output=max(told_output, counted),
        cached=min(details.get("cached_tokens") or 0, told_input),
        estimated=not told_input or told_output < counted,
    )


def _counted(continuation: Continuation, request: ContinuationRequest) -> int:
    """Tokens of a choice: as told, else the limit that cut it, else one at least."""
    if continuation.tokens is not None:
        return len(continuation.tokens)
    return request.max_tokens if continuation.finish == "length" else 1
