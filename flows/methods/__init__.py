"""Search methods, pure: what to ask of the models next, given what was told."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from flows.methods.aligntree import AlignTree, AlignTreeConfig
from flows.methods.base import Child, Estimate, Failed, Grown, Method, Outcome, Result, Sample
from flows.methods.beam import BaseConfig, Beam, BeamConfig, BestOfNConfig
from flows.methods.children import Chunk, chunks
from flows.methods.tree import Node, Tree, child_id, root_id

MethodConfig = Annotated[BaseConfig | BestOfNConfig | BeamConfig | AlignTreeConfig, Field(discriminator="name")]

__all__ = [
    "AlignTree",
    "AlignTreeConfig",
    "BaseConfig",
    "Beam",
    "BeamConfig",
    "BestOfNConfig",
    "Child",
    "Chunk",
    "Estimate",
    "Failed",
    "Grown",
    "Method",
    "MethodConfig",
    "Node",
    "Outcome",
    "Result",
    "Sample",
    "Tree",
    "build",
    "child_id",
    "chunks",
    "root_id",
    "version",
]


def build(config: MethodConfig, prompt: str, max_tokens: int) -> Method:
    """A fresh search of `prompt`, whose answers have at most `max_tokens` strong tokens."""
    tree = Tree(prompt, max_tokens)
    match config:
        case BaseConfig():
            return Beam.best_of_n(1, tree)
        case BestOfNConfig():
            return Beam.best_of_n(config.n, tree)
        case BeamConfig():
            return Beam(config, tree)
        case AlignTreeConfig():
            return AlignTree(config, tree)


def version(config: MethodConfig) -> int:
    """The version of the method's behaviour; a search on record is gone on with by the same version only."""
    return AlignTree.VERSION if isinstance(config, AlignTreeConfig) else Beam.VERSION
