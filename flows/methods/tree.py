"""The search tree: nodes are chunks of an answer, named by their content; the root is the bare prompt."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

CUT = "cut"
"""The finish of a chunk that is part of a longer text, which was sampled with it and goes on below it."""


def root_id(prompt: str) -> str:
    """sha256 of the prompt."""
    return _sha256(prompt)


def child_id(parent: str, text: str, finish: str) -> str:
    """sha256 of parent id, text and finish: equal chunks below a node are one node."""
    return _sha256(f"{parent}\n{finish}\n{text}")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def cut_at_stop(answer: str, stop: Sequence[str]) -> str:
    """The answer up to the first stop string in it."""
    return answer[: min((at for text in stop if (at := answer.find(text)) >= 0), default=len(answer))]


@dataclass(eq=False, slots=True)
class Node:
    """A chunk and what the search knows of it.

    `depth` counts the answer's tokens up to its end, `level` its chunks. `value` is the scorer's, made of `parts`;
    `worth` is the return it begins with, `best` (R) what backup makes it; `entropy` (bits) is known once grown.
    """

    id: str
    parent: Node | None
    text: str
    finish: str
    depth: int
    value: float | None = None
    prior: float = 1.0
    parts: Mapping[str, float] = field(default_factory=dict)
    entropy: float = 0.0
    level: int = 0
    complete: bool = False
    """The strong model ended the answer here, or it is as long as it may be."""
    revision: bool = False
    """Its text is a whole answer in its own right, asked for in place of its parent's: no continuation of that."""
    judge: float | None = None
    """What a judge said of it."""
    worth: float = 0.0
    best: float = 0.0
    visits: int = 0
    attempts: int = 0
    """Times that it was asked to be grown."""
    children: list[Node] = field(default_factory=list)
    busy: bool = False
    """Being grown."""
    fruitless: int = 0
    """Asks in a row that brought nothing new."""
    barren: bool = False
    """Growing it failed, or brought nothing new time and again: not tried again."""
    open: bool = True
    """Something at or below it can be grown now."""
    open_children: int = 0
    prior_below: float = 0.0
    """Sum of its children's priors."""
    span: float = 1.0
    """Of what an ask for its children brings, the share that those have which were sampled along with it."""
    bound: float = float("-inf")
    """What its score does not exceed, where its parent's children are ranked."""
    lead: Node | None = None
    """The child of the highest score, when its children were last compared."""
    rest: float = 0.0
    """What the scores of its other children do not exceed until it has more visits than `rest_until` ..."""
    wider: float = 0.0
    """... nor this the bonus of growing it again."""
    rest_until: int = -1

    def path(self) -> Iterator[Node]:
        """From this node up to the root."""
        node: Node | None = self
        while node is not None:
            yield node
            node = node.parent


class Tree:
    """All nodes of one search, by id. An answer has at most `max_tokens` tokens, and ends before any of `stop`."""

    def __init__(self, prompt: str, max_tokens: int, stop: Sequence[str] = ()) -> None:
        self.prompt, self.max_tokens, self.stop = prompt, max_tokens, tuple(stop)
        self.root = Node(root_id(prompt), None, "", "length", 0)
        self.nodes = {self.root.id: self.root}
        self.complete: list[Node] = []
        """Whole answers, in the order they were found."""
        self.best: float | None = None
        """The highest value of a whole answer."""

    def add(self, parent: Node, child: Node) -> None:
        child.level = parent.level + 1
        child.complete = child.finish == "stop" or (child.finish != CUT and child.depth >= self.max_tokens)
        parent.children.append(child)
        self.nodes[child.id] = child
        if child.complete:
            child.open = False
            self.complete.append(child)
            if child.value is not None and (self.best is None or child.value > self.best):
                self.best = child.value

    def answer(self, node: Node) -> str:
        """The text from the root's end, or from where it was last revised, to this node's end. A stop string may have
        begun in an earlier chunk.
        """
        whole = self.uncut(node)
        return cut_at_stop(whole, self.stop) if node.finish == "stop" else whole

    def uncut(self, node: Node) -> str:
        """The same, with what comes after a stop string."""
        texts = []
        for step in node.path():
            texts.append(step.text)
            if step.revision:
                break
        return "".join(reversed(texts))
