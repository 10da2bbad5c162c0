"""Why a node was grown: its path, level by level, with the terms that each choice was made by, as they were then."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from flows.errors import FlowError
from flows.methods import AlignTree, Method, Node, Refine, root_id
from flows.plan import config_of
from flows.replay import replay, replayed, start
from store import Record, RunRow, SearchRow


class NoSuchNode(FlowError):
    """A node that the run does not have, or a shortened id that means several."""

    exit_status = 2


@dataclass(frozen=True)
class Choice:
    """A child as it stood then: its text and value, and of aligntree return R, prior P, visits N and score.

    `node` none: growing the parent once more (widening). Without `score` it could not be chosen.
    """

    node: str | None
    text: str
    value: float | None
    returns: float | None = None
    prior: float | None = None
    visits: int | None = None
    score: float | None = None
    chosen: bool = False


@dataclass(frozen=True)
class Level:
    """What could be chosen below a node of the path; its text, entropy (bits) and visits. Of refine there is one, below
    the prompt: the whole answers that there were.
    """

    text: str
    entropy: float
    visits: int
    choices: tuple[Choice, ...]


@dataclass(frozen=True)
class Explanation:
    """A node was chosen to be grown `after` so many outcomes; none: it never was, and `levels` are as of the end.

    `finishing`: it was the best leaf by V when the search ended without a whole answer, and was finished. `root`: it is
    the prompt, before which nothing is chosen; the level is that below it, as of the end.
    """

    search: str
    node: str
    after: int | None
    finishing: bool
    levels: tuple[Level, ...]
    root: bool = False


def find_node(record: Record, run: RunRow, wanted: str) -> tuple[SearchRow, str]:
    """The search and the full id of the node whose id begins so. Raises NoSuchNode."""
    fits = [
        (search, node)
        for search in record.searches(run.id)
        for node in record.history(search.id).nodes
        if node.startswith(wanted)
    ]
    if not fits and (found := _find_root(record, run, wanted)):
        raise NoSuchNode(
            f"it is the prompt of search {found[0].id}", where=f"node {wanted!r}",
            mend="Name a node below it; from the prompt aligntree align begins a new run",
        )  # fmt: skip
    if len(fits) != 1:
        raise NoSuchNode(
            f"{len(fits)} nodes of run {run.id} fit", where=f"node {wanted!r}",
            mend="aligntree show RUN --search N shows nodes with the beginnings of their ids",
        )  # fmt: skip
    return fits[0]


def _find_root(record: Record, run: RunRow, wanted: str) -> tuple[SearchRow, str] | None:
    """Where several searches begin from one prompt: the one with the most nodes."""
    fits = [(search, root) for search in record.searches(run.id) if (root := root_id(search.prompt)).startswith(wanted)]
    if len({root for _, root in fits}) != 1:
        return None
    return max(fits, key=lambda found: len(record.history(found[0].id).nodes))


def explain(record: Record, run: RunRow, wanted: str) -> Explanation:
    """Replays the search up to the moment at which the node was first chosen. Raises NoSuchNode."""
    try:
        search, node = find_node(record, run, wanted)
    except NoSuchNode:
        if (found := _find_root(record, run, wanted)) is None:
            raise
        search, node = found
        method = replayed(record, run, search)
        root = method.tree.root
        return Explanation(search.id, node, 0, False, (_level(method, root, None, root.children),), root=True)
    after = _chosen_after(record, run, search, node)
    method = replayed(record, run, search, until=after)
    levels = tuple(_levels(method, method.tree.nodes[node]))
    selected = all(
        choice.score == level.choices[0].score for level in levels for choice in level.choices if choice.chosen
    )
    return Explanation(search.id, node, after, after is not None and not selected, levels)


def _chosen_after(record: Record, run: RunRow, search: SearchRow, node: str) -> int | None:
    found: list[int] = []
    begun = start(record, config_of(run), run.finding, search)
    replay(
        begun.method, record.history(search.id), begun.open_asks,
        look=lambda after, asks: found.extend(after for ask in asks if ask.node == node),
    )  # fmt: skip
    return found[0] if found else None


def _levels(method: Method, node: Node) -> Iterator[Level]:
    if isinstance(method, Refine):  # the best is revised of all whole answers, wherever they are in the tree
        yield _level(method, method.tree.root, node, method.tree.complete)
        return
    for parent, child in pairwise([*node.path()][::-1]):
        yield _level(method, parent, child, parent.children)


def _level(method: Method, parent: Node, chosen: Node | None, among: Sequence[Node]) -> Level:
    scores = method.scores(parent) if isinstance(method, AlignTree) else None
    choices = [
        Choice(
            child.id, child.text, child.value, child.best, child.prior, child.visits, scores.get(child.id),
            child is chosen,
        )
        if scores is not None
        else Choice(child.id, child.text, child.value, chosen=child is chosen)
        for child in among
    ]  # fmt: skip
    if isinstance(method, AlignTree) and scores is not None and parent.id in scores:
        returns, score = method.promised(parent), scores[parent.id]
        choices.append(Choice(None, "(one more child)", None, returns, None, parent.attempts, score))
    choices.sort(key=lambda c: (c.score is None, -((c.value or 0) if c.score is None else c.score), c.node or ""))
    return Level(parent.text, parent.entropy, parent.visits, tuple(choices))
