"""The search tree: nodes are chunks of an answer, named by their content; the root is the bare prompt."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field


def root_id(prompt: str) -> str:
    """sha256 of the prompt."""
    return _sha256(prompt)


def child_id(parent: str, text: str, finish: str) -> str:
    """sha256 of parent id, text and finish: equal chunks below a node are one node."""
    return _sha256(f"{parent}\n{finish}\n{text}")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(eq=False)
class Node:
    """A chunk and what the search knows of it. `depth` counts the answer's tokens up to its end.

    `value` is the scorer's; `best` what backup makes of it; `entropy` (bits) is known once the node was grown.
    """

    id: str
    parent: Node | None
    text: str
    finish: str
    depth: int
    value: float | None = None
    prior: float = 1.0
    entropy: float = 0.0
    best: float = 0.0
    visits: int = 0
    attempts: int = 0
    children: list[Node] = field(default_factory=list)
    closed: bool = False
    """Nothing below can be grown any more."""

    def path(self) -> Iterator[Node]:
        """From this node up to the root."""
        node: Node | None = self
        while node is not None:
            yield node
            node = node.parent


class Tree:
    """All nodes of one search, by id. An answer is as long as `max_tokens` allows."""

    def __init__(self, prompt: str, max_tokens: int) -> None:
        self.max_tokens = max_tokens
        self.root = Node(root_id(prompt), None, "", "length", 0)
        self.nodes = {self.root.id: self.root}

    def add(self, parent: Node, child: Node) -> None:
        parent.children.append(child)
        self.nodes[child.id] = child

    def is_complete(self, node: Node) -> bool:
        """The strong model ended the answer here, or it is as long as it may be."""
        return node.finish == "stop" or node.depth >= self.max_tokens

    def answer(self, node: Node) -> str:
        """The text from the root's end to this node's."""
        return "".join(reversed([step.text for step in node.path()]))

    def complete(self) -> list[Node]:
        return [node for node in self.nodes.values() if node is not self.root and self.is_complete(node)]
