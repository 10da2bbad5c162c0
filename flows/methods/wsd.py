"""Weak-to-strong decoding (arXiv 2506.07434): the aligned weak model begins the answer, the strong model goes on.

The weak pair's tuned model drafts an answer, greedily. The strong model's probabilities p_i of the draft's tokens tell
how far it would have written the same: g_i is their geometric mean over the last w. At the first g_i >= gamma the
strong model takes over, after token i; where there is none the whole draft stands.

That takes the strong model's probabilities of a given text. What else the switch can be found by, in the order in which
`auto` looks for them: after every w tokens of the draft the strong model is asked for its own next w, and takes over
where their geometric mean reaches gamma (`probe`), or where they are the draft's own (`agreement`); `fixed`: after so
many tokens of the draft.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import Field, model_validator

from flows.methods.base import Ask, Child, Draft, Failed, Grown, Keep, Likelihood, Likely, MethodSettings, Outcome
from flows.methods.limits import Cost
from flows.methods.tree import Node, Tree
from flows.methods.tree_search import Growth, TreeSearch

Form = Literal["likelihood", "probe", "agreement", "fixed"]
"""How the switch is found."""


class WSDConfig(MethodSettings):
    """Weak-to-strong decoding."""

    name: Literal["wsd"] = "wsd"
    switch: Form | Literal["auto"] = Field(
        "auto",
        description="How the switch is found: by the strong model's likelihood of the draft; by probe, of its own next "
        "tokens; by agreement of these with the draft's; at a fixed length. auto: the first that the endpoint can.",
    )
    gamma: float = Field(0.8, gt=0, le=1, description="Mean probability from which on the strong model takes over.")
    window: int = Field(
        6, ge=1, description="w: tokens that the mean is over; the strong model's, of a probe its next."
    )
    fixed: int = Field(16, ge=1, description="Tokens of the draft that are kept, where switch is fixed.")
    n: int = Field(1, ge=1, description="Answers that the strong model goes on to from the switch; the best by value.")

    @model_validator(mode="after")
    def _nodes_are_no_limit(self) -> WSDConfig:
        if self.limits.nodes is not None:
            raise ValueError("limits.nodes: a draft has the nodes that it has; limit tokens, calls or seconds instead")
        return self


@dataclass(frozen=True)
class Measured:
    """What was found at a place of the draft: characters of it up to there, and the measure held against gamma; of an
    agreement 1 or 0.
    """

    characters: int
    measure: float


def window_means(tokens: Sequence[tuple[str, float]], window: int, draft: int) -> list[Measured]:
    """g_i of each token from the `window`-th on (arXiv 2506.07434, eq. of the switch): the geometric mean of the last
    `window` probabilities. The tokens end where the draft, of so many characters, ends; the first may begin before it.
    """
    before = draft - sum(len(text) for text, _ in tokens)
    found, logs = [], [logprob for _, logprob in tokens]
    for i, (text, _) in enumerate(tokens):
        before += len(text)
        if i + 1 >= window:
            found.append(Measured(before, math.exp(math.fsum(logs[i + 1 - window : i + 1]) / window)))
    return found


class WSD(TreeSearch):
    """One search: the draft, in pieces of w tokens one below the other; then the switch; then the strong model."""

    VERSION = 1

    def __init__(
        self, config: WSDConfig, tree: Tree, choices: int = 1, *, likelihoods: bool = False, logprobs: bool = False
    ) -> None:
        super().__init__(tree, config.limits, 1, choices)
        self._config, self._likelihoods, self._logprobs = config, likelihoods, logprobs
        self._open: Draft | Likelihood | Keep | None = None  # asked, not told
        self._pieces: list[Node] = []
        self._at: Node | None = None  # where the strong model goes on
        self._read = False
        self._kept = self._probed = self._sampled = 0
        self.measured: list[Measured] = []
        """What the switch was looked for by, in the order of the draft."""
        self.switch: int | None = None
        """Characters of the draft that are kept; none: no switch was found, yet or at all."""

    @property
    def form(self) -> Form:
        """What `switch` comes to with what the strong model tells."""
        if self._config.switch != "auto":
            return self._config.switch
        return "likelihood" if self._likelihoods else "probe" if self._logprobs else "agreement"

    def change(self, config: WSDConfig) -> None:
        self._change(config.limits)
        self._config = config

    def ask(self) -> list[Ask]:
        if self._open is not None:
            return []
        if not self._asked and not self._why and (ask := self._of_the_draft()) is not None:
            self._open = ask
            self._numbered += 1
            return [ask]
        return super().ask()

    def _of_the_draft(self) -> Draft | Likelihood | Keep | None:
        """What is to be known of the draft, or put below it, before the strong model writes."""
        most, number = self.tree.max_tokens, self._numbered
        if not self._pieces:
            fixed = min(self._config.fixed, most) if self.form == "fixed" else most
            return Draft(number, self.tree.root.id, fixed, self._config.window) if self._at is None else None
        if self.form == "likelihood" and not self._read:
            if self._meter.calls_left() == 0:
                self._why = f"limits.calls = {self.limits.calls}: the draft stands"
                return None
            return Likelihood(number, self._pieces[-1].id)
        if self.form == "likelihood" and self.switch is not None and self._at is None:
            above = max((p for p in self._pieces if self._end(p) <= self.switch), key=self._end, default=self.tree.root)
            if rest := self.draft[self._end(above) : self.switch]:
                return Keep(number, above.id, rest, max(self._kept - above.depth, 1))
            self._at = above
        return None

    @property
    def draft(self) -> str:
        """The weak model's own answer; empty before it is known."""
        return self.tree.answer(self._pieces[-1]) if self._pieces else ""

    def _end(self, node: Node) -> int:
        """Characters up to a node's end."""
        return len(self.tree.answer(node))

    def _next(self) -> Growth | None:
        most = self.tree.max_tokens
        kept = [piece for piece in self._pieces if piece.depth <= self._config.fixed and not piece.complete]
        if self.form == "fixed" and self._at is None and kept:
            self._at, self.switch = kept[-1], self._end(kept[-1])
        if (at := self._at) is not None:
            left = self._config.n - self._sampled
            if (
                left > 0 and not at.complete and at.depth < most
            ):  # what is kept may be longer in the strong model's tokens
                return Growth(at, left, most - at.depth, 0)
            self._why = "all answers sampled"
            return None
        if self.form in ("probe", "agreement"):
            waiting = [piece for piece in self._pieces[self._probed : -1] if piece.depth < most]
            if waiting:
                return Growth(waiting[0], 1, min(self._config.window, most - waiting[0].depth), self._probed)
        self._why = "no switch: the draft stands"
        return None

    def _begun(self, growth: Growth) -> None:
        if growth.node is self._at:
            self._sampled += growth.n
        elif not growth.extra:
            self._probed += 1

    def tell(self, number: int, outcome: Outcome) -> None:
        if self._open is None or number != self._open.number:
            super().tell(number, outcome)
            return
        asked, self._open = self._open, None
        match asked, outcome:
            case Draft(), Grown():
                self._pieces = self._add(self.tree.root, outcome.children)
            case Draft(), _:  # nothing to go on from
                self._at, self.switch = self.tree.root, 0
            case Likelihood(), Likely():
                self._read = True
                self._find(outcome)
            case Keep(), Grown():
                (self._at,) = self._add(self.tree.nodes[asked.node], outcome.children)
            case _, Failed():
                self._why = self._why or f"{outcome.reason}: the draft stands"
        if isinstance(outcome, Likely | Failed):
            self._meter.taken += Cost(0, 0, outcome.calls)

    def _find(self, outcome: Likely) -> None:
        """The first place where the strong model is sure enough."""
        window = self._config.window
        self.measured = window_means(outcome.read, window, len(self.draft))
        for number, found in enumerate(self.measured):
            if found.measure >= self._config.gamma:
                self.switch, self._kept = found.characters, number + window
                return

    def _grown(self, growth: Growth, outcome: Grown) -> None:
        self._add(growth.node, outcome.children)
        if growth.node is not self._at and not growth.extra:
            self._weigh(growth.node, outcome.children[0])

    def _weigh(self, piece: Node, own: Child) -> None:
        """What the strong model would write itself after a piece of the draft: is it time to let it?"""
        end = self._end(piece)
        if self.form == "probe":
            sure = own.prior.value if own.prior.rung == "logprobs" else 0.0
        else:
            rest = self.draft[end:]
            sure = float(rest == own.text if own.finish == "stop" else rest.startswith(own.text))
        self.measured.append(Measured(end, sure))
        if sure >= self._config.gamma:
            self.switch, self._at = end, self.tree.nodes[own.id]

    def _failed(self, growth: Growth, outcome: Failed) -> None:
        super()._failed(growth, outcome)
        if growth.node is self._at:
            self._why = self._why or outcome.reason

    def _pool(self) -> Sequence[Node]:
        """What the strong model went on to; the draft where there is nothing of it."""
        of_its_own = [node for node in self.tree.complete if self._at is not None and self._at in node.path()]
        return of_its_own or [piece for piece in self._pieces[-1:] if piece.complete]
