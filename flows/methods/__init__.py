"""Search methods, pure: what to ask of the models next, given what was told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from flows.methods.aligntree import AlignTree
from flows.methods.aligntree_config import AlignTreeConfig
from flows.methods.base import (
    JUDGE,
    Ask,
    Child,
    Draft,
    Estimate,
    Failed,
    Grown,
    Judge,
    Judged,
    Keep,
    Likelihood,
    Likely,
    Method,
    Outcome,
    Result,
    Sample,
    Verdict,
)
from flows.methods.beam import Beam, BeamConfig
from flows.methods.best_of_n import BaseConfig, BestOfN, BestOfNConfig
from flows.methods.children import Chunk, chunks
from flows.methods.limits import Limits
from flows.methods.refine import Refine, RefineConfig
from flows.methods.rise import Rise
from flows.methods.rollouts import Rollouts
from flows.methods.tree import CUT, Node, Tree, child_id, cut_at_stop, root_id
from flows.methods.wsd import WSD, WSDConfig

MethodConfig = Annotated[
    BaseConfig | BestOfNConfig | RefineConfig | BeamConfig | AlignTreeConfig | WSDConfig, Field(discriminator="name")
]

__all__ = [
    "CUT",
    "JUDGE",
    "WSD",
    "AlignTree",
    "AlignTreeConfig",
    "Ask",
    "BaseConfig",
    "BeamConfig",
    "BestOfNConfig",
    "Child",
    "Chunk",
    "Draft",
    "Estimate",
    "Failed",
    "Grown",
    "Judge",
    "Judged",
    "Keep",
    "Likelihood",
    "Likely",
    "Limits",
    "Method",
    "MethodConfig",
    "Node",
    "Outcome",
    "Refine",
    "RefineConfig",
    "Result",
    "Rise",
    "Sample",
    "Tree",
    "Verdict",
    "WSDConfig",
    "build",
    "called",
    "child_id",
    "chunks",
    "cut_at_stop",
    "root_id",
    "version",
]


def build(
    config: MethodConfig,
    prompt: str,
    max_tokens: int,
    stop: Sequence[str] = (),
    choices: int = 1,
    *,
    whole_only: bool = False,
    judged: int = 0,
    likelihoods: bool = False,
    logprobs: bool = False,
) -> Method:
    """A fresh search of `prompt`, whose answers have at most `max_tokens` strong tokens and end before any of `stop`.

    `choices`: continuations that one request brings, by which the worst case of an ask in calls is known. `whole_only`:
    the strong model cannot go on from an unfinished answer, and beam cannot search. `judged`: the most whole answers
    that a judge is asked of at the end; 0: there is no judge. `likelihoods`, `logprobs`: whether the strong model tells
    how likely a given text is, and its own.
    """
    tree = Tree(prompt, max_tokens, stop)
    match config:
        case BaseConfig():
            return BestOfN(1, config.limits, tree, choices)
        case BestOfNConfig():
            return BestOfN(config.n, config.limits, tree, choices, judged)
        case RefineConfig():
            return Refine(config, tree, choices, judged)
        case BeamConfig():
            return Beam(config, tree, choices, judged)
        case AlignTreeConfig():
            return (Rollouts if whole_only else AlignTree)(config, tree, choices, judged)
        case WSDConfig():
            return WSD(config, tree, choices, likelihoods=likelihoods, logprobs=logprobs)


def called(config: MethodConfig) -> str:
    """What tables and the record call a method."""
    return config.label or config.name


def version(config: MethodConfig) -> int:
    """The version of the method's behaviour; a search on record is gone on with by the same version only."""
    match config:
        case AlignTreeConfig():
            return AlignTree.VERSION
        case BeamConfig():
            return Beam.VERSION
        case WSDConfig():
            return WSD.VERSION
        case RefineConfig():
            return Refine.VERSION
        case _:
            return BestOfN.VERSION
