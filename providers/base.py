"""The contract of a strong model: continue a text, n ways."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal, Protocol

from providers.endpoints import Mode
from providers.price import Price

Finish = Literal["stop", "length", "filter"]
"""Why a continuation ended: the model (or a stop string) said so; the token limit; a content filter."""


@dataclass(frozen=True)
class ContinuationRequest:
    """Continue `answer`, an unfinished one to `prompt`, in `n` independent ways of at most `max_tokens` tokens each.

    `seed` None leaves the draw to the server. `logprobs` is how many of the likeliest tokens to report at each position
    (0: none). `system` instructs a model that chats. `distinct`: all choices begin with different tokens, which only
    models on this machine can. `draft`: nothing is to be continued, but this text told as if it had been, each token
    with its log-probability (`n` and `max_tokens` are 1); only of models whose `likelihoods` are there.
    """

    prompt: str
    answer: str
    n: int
    max_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    logprobs: int = 0
    system: str | None = None
    distinct: bool = False
    draft: str | None = None


@dataclass(frozen=True)
class Token:
    """One token: its text, its log-probability (nats, as the server reports it) and the likeliest tokens.

    `entropy` (bits) of all that could have come in its place, where it is known: `exact`, of the whole distribution, or
    estimated by who looked at the likeliest tokens.
    """

    text: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()
    entropy: float | None = None
    exact: bool = False


@dataclass(frozen=True)
class Continuation:
    """One choice: the new text alone, why it ended, and its tokens where the server tells them."""

    text: str
    finish: Finish
    tokens: tuple[Token, ...] | None = None


@dataclass(frozen=True)
class Usage:
    """Tokens by class, over all choices of one request. `estimated`: counted by us, the server's figure was off."""

    input: int
    output: int
    cached: int = 0
    estimated: bool = False


@dataclass(frozen=True)
class Reply:
    """What one HTTP request brought: one to n continuations, tokens, price and the body as it came.

    `price` in nano-dollars, rounded up; None where the price is unknown. `latency` in seconds.
    """

    continuations: tuple[Continuation, ...]
    usage: Usage
    body: bytes = field(repr=False)
    latency: float
    price: int | None = None
    request_id: str | None = None


@dataclass(frozen=True)
class Finding:
    """What the probe saw before the first paid search: stored with the run.

    `choices`: how many one request brought, of as many as requests will ask for. `logprobs`: how many of the likeliest
    tokens came back per position; 0 where the server withholds them. `repeats`: replies begin with the answer so far.
    `seed`: the same seed brought the same; none: the endpoint takes no seed. `cases`: what replies did with each
    unfinished answer. `latency`: median of a request, in seconds. `likelihoods`: it tells how likely given texts are.
    """

    model: str
    mode: Mode
    choices: int
    logprobs: int
    repeats: bool
    seed: bool | None
    cases: Mapping[str, str]
    usage: Usage
    latency: float
    likelihoods: bool = False


Send = Callable[[ContinuationRequest], Awaitable[Reply]]


class StrongModel(Protocol):
    """A model that can only be called. One instance serves one event loop; `close` returns its connections."""

    name: str
    mode: Mode
    price: Price | None
    """None: not known."""
    retires: date | None
    """When its provider switches it off; None: no date is known."""
    likelihoods: bool
    """It tells how likely a given text is (`ContinuationRequest.draft`)."""

    def adopt(self, finding: Mapping[str, Any]) -> None:
        """What a probe found holds from now on."""
        ...

    async def check(self) -> None:
        """What can be seen for nothing: address, key and model; raises ProviderError saying what to mend."""
        ...

    async def probe(self, send: Send | None = None) -> Finding:
        """See how answers are continued, at the cost of a few tokens; raises ProviderError saying what to mend.

        Each request goes out by `send` (this model's own unless given), and what is found is adopted.
        """
        ...

    async def send(self, request: ContinuationRequest) -> Reply:
        """Make exactly one HTTP request; raises CallFailed. Splitting, topping up and retrying are the caller's."""
        ...

    def worst_case(self, request: ContinuationRequest) -> tuple[int, int | None]:
        """The most that one request can cost: (tokens, nano-dollars or None where the price is unknown)."""
        ...

    async def close(self) -> None:
        """Close connections, and stop the server where we started it."""
        ...
