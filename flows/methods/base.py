"""The contract of a search method: sans-IO ask and tell; a pure function of its config and what it was told.

asks = method.ask()            what it wants now, in order; an empty list with nothing outstanding is the end
method.tell(number, outcome)   an ask's outcome; outcomes are told in the order asked
method.stop(reason, finish)    no more asks, but for the one that finishes an answer; told at its place in the order
method.change(config)          from here on by another config of the same method: a fork
method.result()                the best answer so far, at any time
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from flows.methods.limits import Limits
from flows.methods.tree import Tree

Unit = Literal["tokens", "sentence", "line"]
"""What a chunk is: so many tokens, or as many at most up to the end of a sentence or a line."""


class MethodSettings(BaseModel):
    """What the settings of all methods have in common."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: str | None = Field(
        None, min_length=1, max_length=60, description="What tables and the record call it; default: its name."
    )
    limits: Limits = Field(default_factory=Limits, description="Where each search ends at the latest.")


@dataclass(frozen=True)
class Sample:
    """Grow `node` by `n` independent continuations of at most `max_tokens` tokens, each cut at the end of its first
    `unit`. `attempt`: the node's earlier asks. `cut`: each continuation is cut into units of so many tokens at most,
    one below the other; 0: each is one chunk. `least`: from so many tokens on, a unit ends before the first token whose
    position has more than `entropy` bits; 0: it does not. `prompt`: revisions of the node's answer are wanted, whole
    answers, and this is sent in place of the search's prompt and the answer so far.
    """

    number: int
    node: str
    n: int
    max_tokens: int
    attempt: int = 0
    unit: Unit = "tokens"
    cut: int = 0
    least: int = 0
    entropy: float = 0.0
    prompt: str | None = None

    def answer(self, tree: Tree) -> str:
        """The answer so far that its choices go on from."""
        return "" if self.prompt is not None else tree.answer(tree.nodes[self.node])


@dataclass(frozen=True)
class Judge:
    """What does the judge say of these whole answers? The ids of their `candidates`, best by value first; `node`: the
    root, which they are all below.
    """

    number: int
    node: str
    candidates: tuple[str, ...]


@dataclass(frozen=True)
class Draft:
    """What does the weak pair's tuned model answer itself, greedily? At most `max_tokens` of its tokens, in pieces of
    `window`, one below the other; `node`: the root.
    """

    number: int
    node: str
    max_tokens: int
    window: int


@dataclass(frozen=True)
class Likelihood:
    """How likely is the text from the root to `node` to the strong model, token by token?"""

    number: int
    node: str


@dataclass(frozen=True)
class Keep:
    """Put this `text` of a draft, of so many `tokens`, below `node`, and value it."""

    number: int
    node: str
    text: str
    tokens: int


Ask = Sample | Judge | Draft | Likelihood | Keep

JUDGE = "judge"
"""What the record calls a judge's value."""


@dataclass(frozen=True)
class Estimate:
    """A number that an API may withhold: its value, and how it was come by. Bounds where the rung has them.

    `warped`, of an entropy: what the paper's code computes, after temperature and over the shown tokens alone.
    `approximate`, of a prior: its chunk is no continuation of the model's own, but was asked for in another turn.
    """

    value: float
    rung: str
    bounds: tuple[float, float] | None = None
    warped: float | None = None
    approximate: bool = False


@dataclass(frozen=True)
class Child:
    """A sampled chunk below the grown node; equal ones are merged and counted.

    `tokens` of the strong model in the chunk; `value` of the whole answer up to here (the scorer's scale). `parent`,
    where an answer was cut: the child before it; none: the grown node.
    """

    id: str
    text: str
    finish: str
    tokens: int
    count: int
    prior: Estimate
    value: float
    parts: Mapping[str, float] = field(default_factory=dict)
    parent: str | None = None


@dataclass(frozen=True)
class Grown:
    """The outcome of a Sample. `children`: each after the one it is below; `entropy` of the grown node's next token, in
    bits; `tokens` and `calls` that it took.
    """

    children: tuple[Child, ...]
    entropy: Estimate
    tokens: int = 0
    calls: int = 0


@dataclass(frozen=True)
class Failed:
    """An ask that could not be fulfilled: the request was refused, or brought nothing that is progress."""

    reason: str
    tokens: int = 0
    calls: int = 0


@dataclass(frozen=True)
class Verdict:
    """What the judge said of a candidate: its value and what that is made of, or `reason` why it has none."""

    node: str
    value: float | None
    parts: Mapping[str, float] = field(default_factory=dict)
    reason: str | None = None


@dataclass(frozen=True)
class Judged:
    """The outcome of a Judge: a verdict for each candidate, in order; the `calls` that it took."""

    verdicts: tuple[Verdict, ...]
    calls: int = 0


@dataclass(frozen=True)
class Likely:
    """The outcome of a Likelihood: each token's text and log-probability (nats), the last one ending where the text
    does, the first beginning before it perhaps; the `calls` that it took.
    """

    read: tuple[tuple[str, float], ...]
    calls: int = 0


Outcome = Grown | Failed | Judged | Likely


@dataclass(frozen=True)
class Result:
    """The best answer so far. `complete`: it ended by itself or at the token limit. `why`: the search's end. `judge`:
    the value that a judge gave it.
    """

    node: str | None
    answer: str
    value: float | None
    complete: bool
    why: str
    judge: float | None = None

    def to_json(self) -> dict[str, Any]:
        told = {"node": self.node, "text": self.answer, "value": self.value, "complete": self.complete, "why": self.why}
        return told if self.judge is None else told | {JUDGE: self.judge}


class Method(Protocol):
    """One search in progress."""

    tree: Tree
    limits: Limits

    @property
    def kept_for_judge(self) -> int:
        """Calls that no other ask may take."""
        ...

    def ask(self) -> list[Ask]: ...

    def tell(self, number: int, outcome: Outcome) -> None: ...

    def stop(self, reason: str, *, finish: bool = False) -> None: ...

    def change(self, config: Any) -> None:
        """Go on by another config of the same method, as a fork does. What is open stays open."""

    def result(self) -> Result: ...
