"""From the wire to the contract: three shapes of replies, two of logprobs, stop strings cut, usage checked."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from providers.base import Continuation, ContinuationRequest, Finish, Token, Usage
from providers.endpoints import Wire

_FINISH: Mapping[str, Finish] = {
    "stop": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "stop_sequence": "stop",
    "end_turn": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "model_context_window_exceeded": "length",
    "content_filter": "filter",
    "refusal": "filter",
}


_LONGEST_TOKEN = 512
"""Characters: no vocabulary holds longer tokens."""


class Malformed(ValueError):
    """A reply that cannot be read."""


@dataclass(frozen=True)
class Choice:
    """A choice as the wire has it, whatever its shape."""

    text: str
    finish: str | None
    logprobs: Mapping[str, Any] | None = None


def choices(body: Any, wire: Wire) -> list[Choice]:
    """The choices of a reply's body; raises Malformed."""
    if not isinstance(body, dict):
        raise Malformed("the reply is no JSON object")
    if wire == "messages":
        blocks = body.get("content")
        if not isinstance(blocks, list):
            raise Malformed("no content in the reply")
        return [Choice("".join(b.get("text", "") for b in blocks if b.get("type") == "text"), body.get("stop_reason"))]
    told = body.get("choices")
    if not isinstance(told, list) or not told:
        raise Malformed("no choices in the reply")
    return [_choice(choice, wire) for choice in told]


def _choice(told: Mapping[str, Any], wire: Wire) -> Choice:
    message = told.get("message") or {}
    # OpenAI's chat says "stop" of a refusal, which is no end of an answer.
    finish = "refusal" if message.get("refusal") else told.get("finish_reason")
    text = told.get("text") if wire == "completions" else message.get("content")
    if text is None and wire == "chat":
        text = ""  # a filter, or thoughts that took all the tokens
    if not isinstance(text, str):
        raise Malformed("a choice without text")
    return Choice(_whole(text), finish, told.get("logprobs"))


def _whole(text: str) -> str:
    """Halves of characters that JSON escapes brought: joined where both are there, else marked as unknown."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def continuation(choice: Choice, request: ContinuationRequest, not_new: int = 0) -> Continuation:
    """A choice without the `not_new` characters at its beginning, up to the first stop string; raises Malformed."""
    finish = _FINISH.get(choice.finish or "")
    if finish is None:
        raise Malformed(f"a choice that ended by {choice.finish!r}")
    tokens = _tokens(choice.logprobs, request.logprobs)
    text = choice.text[not_new:]
    if len(text) > request.max_tokens * _LONGEST_TOKEN:
        raise Malformed(f"a choice of {len(text)} characters where {request.max_tokens} tokens were asked for")
    if tokens is not None and "".join(token.text for token in tokens) == choice.text:
        tokens = _after(tokens, not_new)
    cut = min((at for at in map(text.find, request.stop) if at >= 0), default=None)
    if cut is None:
        return Continuation(text, finish, tokens)
    return Continuation(text[:cut], "stop", up_to(tokens, cut))


def _after(tokens: tuple[Token, ...], length: int) -> tuple[Token, ...]:
    """The tokens that reach beyond the first `length` characters."""
    seen = 0
    for number, token in enumerate(tokens):
        seen += len(token.text)
        if seen > length:
            return tokens[number:]
    return ()


def up_to(tokens: tuple[Token, ...] | None, length: int) -> tuple[Token, ...] | None:
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


def drafted(body: Mapping[str, Any], draft: str) -> Continuation:
    """A draft as if it had been written: its tokens, of vLLM's prompt_logprobs; one that begins before it counts.

    An entry for each token of the prompt: null for the first, else {"TOKEN ID": {"logprob": nats, "decoded_token":
    text}}. Raises Malformed.
    """
    try:
        entries = body["choices"][0]["prompt_logprobs"][1:]
        told = [next(iter(entry.values())) for entry in entries]
        read = [Token(token["decoded_token"], _finite(token["logprob"])) for token in told]
    except (LookupError, TypeError, AttributeError, StopIteration):
        raise Malformed("no log-probabilities of the prompt came back (prompt_logprobs)") from None
    kept, length = list[Token](), 0
    while read and length < len(draft):
        kept.append(read.pop())
        length += len(kept[-1].text)
    return Continuation(draft, "length", tuple(reversed(kept)))


def _tokens(logprobs: Mapping[str, Any] | None, most: int) -> tuple[Token, ...] | None:
    """Tokens with their `most` likeliest alternatives; servers append a chosen token that is not among them.

    None where there are none, or none that can be right: the text was paid for, and stands without them.
    """
    try:
        return _told_tokens(logprobs, most) if logprobs else None
    except (Malformed, AttributeError, KeyError, TypeError, ValueError):
        return None


def _told_tokens(logprobs: Mapping[str, Any], most: int) -> tuple[Token, ...] | None:
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
    sent: Callable[[], str],
    count: Callable[[str], int],
) -> Usage:
    """Tokens by class. Where the server's figure is missing or below what must have been, ours stands, as an estimate.

    llama.cpp counts one choice of n; some servers send zeros or nothing. `count`: tokens of a text, by a tokenizer that
    need not be the model's; a figure of the server's that can be right is not held against it.
    """
    told_input, told_output, cached = _told(reported or {})
    is_off = told_output < max(sum(_least(c, request) for c in found), 1)
    counted = 0
    if is_off or (len(found) > 1 and any(c.tokens is None for c in found)):
        counted = sum(_counted(c, request, count) for c in found)
        is_off = is_off or 2 * told_output < counted  # one choice was counted, of several
    return Usage(
        input=told_input or count(sent()),
        output=max(told_output, counted) if is_off else told_output,
        cached=min(cached, told_input),
        estimated=not told_input or is_off,
    )


def _told(usage: Mapping[str, Any]) -> tuple[int, int, int]:
    """Tokens of input, output and cached input. Anthropic counts what it reads from or writes to its cache apart."""
    if "input_tokens" in usage:
        cached = usage.get("cache_read_input_tokens") or 0
        fresh = (usage.get("input_tokens") or 0) + (usage.get("cache_creation_input_tokens") or 0)
        return fresh + cached, usage.get("output_tokens") or 0, cached
    details = usage.get("prompt_tokens_details") or {}
    return usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0, details.get("cached_tokens") or 0


def _least(continuation: Continuation, request: ContinuationRequest) -> int:
    """Tokens of a choice at least: as told, else the limit that cut it, else one."""
    if continuation.tokens is not None:
        return len(continuation.tokens)
    return request.max_tokens if continuation.finish == "length" else 1


def _counted(continuation: Continuation, request: ContinuationRequest, count: Callable[[str], int]) -> int:
    """Tokens of a choice: where neither they nor the limit tell, as a tokenizer counts them."""
    least = _least(continuation, request)
    if continuation.tokens is not None:
        return least
    return max(least, min(count(continuation.text), request.max_tokens))
