"""A search on the terminal: its tree, replayed from the record, with the chosen path marked."""

from __future__ import annotations

from typing import Any

from rich.markup import escape
from rich.text import Text
from rich.tree import Tree as Drawn

from flows.errors import FlowError
from flows.export import node_line
from flows.methods import WSD, Method, Node
from store import SearchRow


class NoSuchSearch(FlowError):
    """A search that the run does not have."""

    exit_status = 2


def find_search(searches: list[SearchRow], wanted: str) -> SearchRow:
    """By its number in the run (from 1) or the start or end of its id; raises NoSuchSearch."""
    if wanted.isdecimal() and 0 < int(wanted) <= len(searches):
        return searches[int(wanted) - 1]
    fits = [row for row in searches if row.id.startswith(wanted) or row.id.endswith(wanted)]
    if len(fits) != 1:
        raise NoSuchSearch(
            f"{len(fits)} searches fit", where=f"search {wanted!r}", mend=f"Give a number from 1 to {len(searches)}"
        )
    return fits[0]


def draw(row: SearchRow, method: Method, depth: int | None = None) -> Drawn:
    """Each node with its value V, a judge's value J, visits and prior; best first; the chosen path is bold and marked.
    Of weak-to-strong decoding also g_i, from 0 to 1, and the switch.

    Without `depth` all levels, but of a tree that nobody would read the first few.
    """
    tree = method.tree
    if depth is None and len(tree.nodes) > _MANY:
        depth = _FEW
    best = method.result().node
    chosen = {node.id for node in tree.nodes[best].path()} if best else set()
    top = Drawn(Text(row.prompt, style="bold"))
    if isinstance(method, WSD):
        top.add(_switch(method))
    pending = [(tree.root, top, 0)]
    while pending:
        node, branch, level = pending.pop()
        if depth is not None and level >= depth:
            if node.children:
                branch.add(f"[dim]... {len(node.children)} children[/]")
            continue
        best_first = sorted(node.children, key=lambda c: (-_value(c), c.id))
        pending += [(child, branch.add(_label(child, child.id in chosen)), level + 1) for child in best_first]
    return top


_MANY, _FEW = 2_000, 3


def searches_told(rows: list[SearchRow]) -> list[dict[str, Any]]:
    """A run's searches as JSON: what each is of, and its answer so far."""
    return [
        {"number": number} | {name: getattr(row, name) for name in _OF_SEARCH} | {"answer": row.answer}
        for number, row in enumerate(rows, 1)
    ]


_OF_SEARCH = "id", "prompt", "method", "seed", "status"


def tree_told(row: SearchRow, method: Method, depth: int | None = None) -> list[dict[str, Any]]:
    """A search's nodes as JSON, parents first, down to a level."""
    best = method.result().node
    chosen = {node.id for node in method.tree.nodes[best].path()} if best else set()
    return [
        node_line(row, method.tree, node) | {"chosen": node.id in chosen}
        for node in method.tree.nodes.values()
        if node.parent is not None and (depth is None or node.level <= depth)
    ]


def _switch(method: WSD) -> str:
    """What the switch was looked for by, along the draft, and where it is."""
    curve = "".join(_BARS[round(found.measure * (len(_BARS) - 1))] for found in method.measured)
    measure = "g" if method.form in ("likelihood", "probe") else method.form
    length = len(method.draft)
    where = "no switch" if method.switch is None else f"the strong model goes on after {method.switch}"
    return f"[dim]by {method.form}: {measure} {curve}; {where} of the draft's {length} characters[/]"


_BARS = "_▁▂▃▄▅▆▇█"


def _label(node: Node, chosen: bool) -> str:
    mark, style = ("* ", "bold green") if chosen else ("", "default")
    end = " [dim](end)[/]" if node.finish == "stop" else ""
    end += " [dim](revision)[/]" if node.revision else ""
    visits = f" N {node.visits}" if node.visits else ""
    text = escape(repr(node.text)[1:-1])
    judge = "" if node.judge is None else f" J {node.judge:.2f}"
    numbers = escape(f"[{node.id[:8]}]") + f" V {_value(node):+.2f}{judge}{visits} P {node.prior:.2f}"
    return f"[{style}]{mark}{text}[/]{end} [dim]{numbers}[/]"


def _value(node: Node) -> float:
    return node.value if node.value is not None else float("-inf")
