"""Settings of W2S-AlignTree, and its presets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from flows.methods.base import MethodSettings, Unit
from flows.methods.limits import Limits
from flows.methods.rise import LENGTH, ChunkTokens, check_unit


class Widening(BaseModel):
    """A node may be grown k0 N^alpha times, N being its visits."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    k0: float = Field(2.0, gt=0, description="Times that a node may be grown at its first visit.")
    alpha: float = Field(0.4, gt=0, lt=1, description="How fast their number grows with visits.")


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "default": {},
    "paper": {
        "limits": {"iterations": 100},
        "children": 3,
        "exploration": 1.5,
        "chunk_tokens": 4,
        "complete_children": "paper",
        "entropy": "warped",
        "rerank_parents": 10,
        "top_up": True,
        "widening": None,
    },
}
"""`paper`: its equations, with its settings of TL;DR. `default`: the fields' own defaults."""


class AlignTreeConfig(MethodSettings):
    """Monte Carlo tree search with entropy-aware PUCT."""

    name: Literal["aligntree"] = "aligntree"
    preset: Literal["default", "paper"] = Field(
        "default", description="Where what is not set comes from; paper: the paper's equations and settings."
    )
    limits: Limits = Field(Limits(iterations=32), description="Where each search ends at the latest; m is iterations.")
    children: int | None = Field(
        None,
        ge=1,
        description="K: chunks sampled at each expansion; none: as many as half of what limits.tokens leaves pays for "
        "at each step to the longest answer, 4 without that limit.",
    )
    chunk: Unit = Field("tokens", description="What a chunk is: chunk_tokens, or these at most up to a boundary.")
    chunk_tokens: ChunkTokens = Field(5, description=LENGTH)
    rule: Literal["ea_puct", "puct", "uct"] = Field("ea_puct", description="Selection rule.")
    exploration: float = Field(0.5, ge=0, description="c: weight of the exploration term.")
    entropy_weight: float = Field(0.2, ge=0, description="w: how much the parent's entropy (bits) raises exploration.")
    entropy: Literal["estimate", "warped"] = Field(
        "estimate", description="The model's own entropy, or that of the shown tokens after temperature."
    )
    backup: Literal["max", "mean", "half"] = Field(
        "max", description="A node's return of its children's: best, mean, or half of each."
    )
    complete_children: Literal["value", "paper"] = Field(
        "value", description="Whether complete children inform the search (value) or only the end (paper)."
    )
    top_up: bool = Field(False, description="Ask once more where equal chunks were merged, for those that lack.")
    widening: Widening | None = Field(Widening(), description="Growing nodes again; none: each is grown once.")
    min_max: bool = Field(False, description="Scale returns to 0..1 over the tree, so that c suits any weak pair.")
    depth_fair: bool = Field(False, description="Returns are values minus the mean at their level, as known then.")
    rerank_parents: int | None = Field(
        None, ge=1, description="M: parents whose complete children are re-ranked at the end; none: all."
    )
    in_flight: int = Field(1, ge=1, description="Asks under way at once within one search; 1 is the sequential search.")

    @model_validator(mode="before")
    @classmethod
    def _with_preset(cls, data: Any) -> Any:
        return {**PRESETS.get(str(data.get("preset")), {}), **data} if isinstance(data, dict) else data

    @model_validator(mode="after")
    def _ends(self) -> AlignTreeConfig:
        if not self.limits.bounded:
            raise ValueError("limits: set iterations, tokens, nodes, calls or seconds; else the search has no end")
        check_unit(self.chunk, self.chunk_tokens)
        return self
