"""What a search's record is told, row by row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class AskRow:
    """What the method asked for, by number; `payload` holds what its kind needs."""

    number: int
    kind: str
    node_id: str
    attempt: int
    payload: Mapping[str, Any]


@dataclass(frozen=True, order=True)
class CallKey:
    """One HTTP request of a search: part of an ask that was split, attempt of a part that was tried again."""

    ask: int
    part: int
    attempt: int


@dataclass(frozen=True)
class ReplyRow:
    """What came back. Exactly one of `continuations` and `failure` is set; `body` is redacted. `latency` in seconds."""

    continuations: Any | None
    failure: Mapping[str, Any] | None
    body: bytes
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    estimated: bool = False
    price: int | None = None
    latency: float = 0.0
    request_id: str | None = None


@dataclass(frozen=True)
class Exchange:
    """One HTTP request of a search, and what came back, if it did. Times are milliseconds since 1970; `worst_price`
    nano-dollars, none where the price is unknown.
    """

    key: CallKey
    sent: int
    request: Mapping[str, Any]
    worst_price: int | None
    received: int | None
    reply: ReplyRow | None


@dataclass(frozen=True)
class NodeRow:
    """One child: its chunk, why it ended, the strong model's tokens in it, and the ask that brought it first."""

    id: str
    parent_id: str
    ask: int
    text: str
    finish: str
    tokens: int


@dataclass(frozen=True)
class ScoreRow:
    """A named value of a node and its parts, as of one ask."""

    ask: int
    node_id: str
    name: str
    value: float
    parts: Mapping[str, Any]


@dataclass(frozen=True)
class TellRow:
    """What was told to the method at `position`: an ask's outcome, or a stop (`ask` None)."""

    position: int
    ask: int | None
    kind: str
    outcome: Any
