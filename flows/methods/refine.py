"""Refinement: whole answers, then turn after turn revisions of the best one so far; the best of all by value.

Of the three dimensions of test-time scaling, n is the batch, turns are turns, and sampling.max_tokens is the context.
Nothing unfinished is ever sent: an endpoint that cannot continue a text will do.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

from jinja2 import StrictUndefined, Template
from jinja2.sandbox import SandboxedEnvironment
from pydantic import Field, field_validator, model_validator

from flows.methods.base import Child, Failed, Grown, MethodSettings
from flows.methods.tree import Node, Tree
from flows.methods.tree_search import Growth, TreeSearch, rank

_CRITIQUE = """\
This answer to a prompt is not as helpful, correct, coherent and well written as it could be:

{{ prompt }}{{ answer }}

Find what is weak in it. Write a better answer to the same prompt, with that mended, and nothing else:

{{ prompt }}"""
"""It ends with the prompt, which is what a model that only continues text goes on from."""


class RefineConfig(MethodSettings):
    """N whole answers, then N revisions of the best one so far in each turn; the best of all by value."""

    name: Literal["refine"] = "refine"
    n: int = Field(4, ge=1, description="N: whole answers sampled in each turn.")
    turns: int | None = Field(
        3,
        ge=1,
        description="Turns of revision, after the answers to the prompt itself; none: as many as the limits allow.",
    )
    template: str = Field(
        _CRITIQUE,
        description="Jinja template of what the strong model is sent for a revision, with {{ prompt }} and "
        "{{ answer }}, the best so far; it has to ask for a whole answer and nothing else.",
    )

    @field_validator("template")
    @classmethod
    def _shows_the_answer(cls, template: str) -> str:
        try:
            shown = [_rendered(template, "x", answer) for answer in ("y", "z")]
        except Exception as error:  # whatever an expression in it may raise
            raise ValueError(f"not a Jinja template: {error}") from error
        if shown[0] == shown[1]:
            raise ValueError("{{ answer }} is not in it: there would be nothing to revise")
        return template

    @model_validator(mode="after")
    def _ends(self) -> RefineConfig:
        if self.turns is None and not self.limits.bounded:
            raise ValueError("turns: set it, or limits of iterations, tokens, nodes, calls or seconds")
        return self


def _rendered(template: str, prompt: str, answer: str) -> str:
    return _compiled(template).render(prompt=prompt, answer=answer)


@lru_cache(maxsize=16)
def _compiled(template: str) -> Template:
    environment = SandboxedEnvironment(undefined=StrictUndefined)
    environment.filters.pop("random")  # what is asked is a function of what was told
    environment.globals.pop("lipsum")
    return environment.from_string(template)


class Refine(TreeSearch):
    """One such search. A revision is a node below the one that it revises; an answer is the text of its node alone."""

    VERSION = 1

    def __init__(self, config: RefineConfig, tree: Tree, choices: int = 1, judged: int = 0) -> None:
        super().__init__(tree, config.limits, 1, choices, judged)
        self._config = config
        self._turn = 0
        self._failure = ""

    def change(self, config: RefineConfig) -> None:
        self._change(config.limits)
        self._config = config

    def _next(self) -> Growth | None:
        turns = self._config.turns
        if turns is not None and self._turn > turns:
            self._why = "all turns taken"
            return None
        if self._turn == 0:
            return self._growth(self.tree.root, None)
        revisable = [node for node in self._pool() if not node.barren]
        if not revisable:
            self._why = self._failure or "nothing new comes any more"
            return None
        best = min(revisable, key=rank)
        return self._growth(best, _rendered(self._config.template, self.tree.prompt, self.tree.answer(best)))

    def _growth(self, node: Node, prompt: str | None) -> Growth:
        return Growth(node, self._config.n, self.tree.max_tokens, self._turn, prompt=prompt)

    def _begun(self, growth: Growth) -> None:
        self._turn += 1

    def _depth(self, above: Node, told: Child) -> int:
        return told.tokens

    def _grown(self, growth: Growth, outcome: Grown) -> None:
        known = len(self._pool())
        for node in self._add(growth.node, outcome.children):
            node.revision = growth.prompt is not None
        if len(self._pool()) == known:  # it was given back as it was
            growth.node.barren = True

    def _failed(self, growth: Growth, outcome: Failed) -> None:
        """The next best is revised in place of what cannot be."""
        super()._failed(growth, outcome)
        self._failure = outcome.reason

    def _pool(self) -> Sequence[Node]:
        """Each answer once: a model may well give back what it was to revise."""
        found: dict[str, Node] = {}
        for node in self.tree.complete:
            text = self.tree.answer(node)
            if text not in found or rank(node)[0] < rank(found[text])[0]:
                found[text] = node
        return list(found.values())
