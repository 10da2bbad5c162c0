"""The pictures of docs/pictures, drawn from search.json there: a search of a `make demo`, as its record told it.

python -m tests.docs_pictures RECORD RUN NUMBER writes that file anew, from another run; then `make docs`.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from pathlib import Path

from pydantic import BaseModel

from flows.report.searches import search_tree
from store import Record

FOLDER = Path(__file__).parent.parent / "docs" / "pictures"
RECORDED = FOLDER / "search.json"
EARLY = 4
"""Iterations after which the first picture is drawn."""

_WIDTH, _TOP, _LEFT, _STEP = 1000, 50, 12, 139


class Recorded(BaseModel):
    """A search as it is drawn. `nodes`: parent, text, value, after how many outcomes it was there, whether complete;
    `grown`: the node of each step; `visits`: node and visits, as they changed from step to step.
    """

    prompt: str
    chosen: int
    grown: list[int]
    nodes: list[tuple[int | None, str, float | None, int, bool]]
    visits: list[list[tuple[int, int]]]


@dataclass
class Chunk:
    """A node as it stood: V, R and N; `chosen`: on the path that is drawn thick."""

    text: str
    value: float
    complete: bool
    visits: int = 0
    chosen: bool = False
    children: list[Chunk] = field(default_factory=list)

    @cached_property
    def returns(self) -> float:
        return max((child.returns for child in self.children), default=self.value)

    @cached_property
    def rows(self) -> int:
        return sum(child.rows for child in self.children) or 1


def record(path: str, run: str, number: int) -> None:
    """Write the search of a record down, without what is not drawn."""
    opened = Record.open(path)
    row = opened.run(run)
    search = opened.searches(row.id)[number - 1]
    told = search_tree(opened, row, search)
    nodes = [tuple(node[k] for k in ("parent", "text", "value", "step", "complete")) for node in told["nodes"]]
    grown = [step["node"] for step in told["steps"]]
    kept = Recorded.model_validate(told | {"prompt": search.prompt, "grown": grown, "nodes": nodes})
    RECORDED.write_text(kept.model_dump_json() + "\n", encoding="utf-8")


def early() -> str:
    """After a few iterations, with the way to the node that is grown next."""
    told = Recorded.model_validate_json(RECORDED.read_text(encoding="utf-8"))
    title = f"{told.prompt} ...: after {EARLY} iterations. The thick line leads to the chunk that is grown next"
    return _drawn(_tree(told, EARLY, told.grown[EARLY]), title, row=14, texts=True)


def late() -> str:
    """At the end, with the chosen answer."""
    told = Recorded.model_validate_json(RECORDED.read_text(encoding="utf-8"))
    last = len(told.grown)
    title = f"{told.prompt} ...: after {last} iterations. The thick line is the chosen answer"
    return _drawn(_tree(told, last, told.chosen), title, row=5, texts=False)


PICTURES = {FOLDER / "search-early.svg": early, FOLDER / "search-late.svg": late}


def _tree(told: Recorded, step: int, chosen: int) -> Chunk:
    """The root of the tree as it stood after so many steps."""
    nodes: list[Chunk] = []
    for parent, text, value, found, complete in told.nodes:
        nodes.append(Chunk(text, value or 0.0, complete))
        if parent is not None and found <= step:
            nodes[parent].children.append(nodes[-1])
    for changed in told.visits[: step + 1]:
        for number, visits in changed:
            nodes[number].visits = visits
    on_path: int | None = chosen
    while on_path is not None:
        nodes[on_path].chosen = True
        on_path = told.nodes[on_path][0]
    return nodes[0]


def _drawn(root: Chunk, title: str, *, row: int, texts: bool) -> str:
    """Levels to the right; the chosen path along the top, and below it the other children, best first."""
    lines, dots, words = list[str](), list[str](), list[str]()

    def place(node: Chunk, level: int, at: int) -> None:
        x, y = _LEFT + level * _STEP, _TOP + 14 + at * row
        for child in sorted(node.children, key=lambda c: (not c.chosen, -c.returns)):
            below = _TOP + 14 + at * row
            width = 3.5 if child.chosen else 0.8
            bend = f"M{x} {y}C{x + 60} {y} {x + 60} {below} {x + _STEP} {below}"
            lines.append(f'<path d="{bend}" stroke="{"#b3541e" if child.chosen else "#999"}" stroke-width="{width}"/>')
            place(child, level + 1, at)
            at += child.rows
        if level:
            dots.append(_dot(node, x, y))
        if level and (node.chosen or texts):
            words.append(_words(node, x, y))

    place(root, 0, 0)
    height = _TOP + 14 + root.rows * row + 30
    key = "colour: V, grey low, green high (nats); area: visits N; ring: a whole answer"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}"',
        'font-family="sans-serif" font-size="10">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="{_LEFT}" y="16" font-size="13">{escape(title)}</text>',
        *('<g fill="none">', *lines, "</g>", *dots, *words),
        f'<text x="{_LEFT}" y="{height - 10}" fill="#555">{key}</text>',
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _dot(node: Chunk, x: int, y: int) -> str:
    radius = 2 + 1.4 * (max(node.visits, 1) - 1) ** 0.5
    ring = ' stroke="#222" stroke-width="1.2"' if node.complete else ""
    return f'<circle cx="{x}" cy="{y}" r="{radius:.1f}" fill="{_colour(node.value)}"{ring}/>'


def _words(node: Chunk, x: int, y: int) -> str:
    """On the chosen path two lines above it, of other nodes that have children before the dot, else behind it."""
    text, value = escape(" ".join(node.text.split())), f'<tspan fill="#0b6e4f">{node.value:+.2f}</tspan>'
    if node.chosen:
        under = value.replace("<tspan", f'<tspan x="{x}" dy="11"')
        return f'<text x="{x}" y="{y - 19}" text-anchor="end" font-size="9">{text}{under}</text>'
    if node.children:
        halo = 'stroke="#fff" stroke-width="3" paint-order="stroke"'
        return f'<text x="{x - 7}" y="{y + 3}" text-anchor="end" {halo}>{text} {value}</text>'
    return f'<text x="{x + 8}" y="{y + 3}" fill="#333">{text} {value}</text>'


def _colour(value: float) -> str:
    """From grey at -2 nats to green at +6."""
    share = min(max((value + 2) / 8, 0), 1)
    low, high = (205, 205, 205), (11, 110, 79)
    return "#" + "".join(f"{round(a + share * (b - a)):02x}" for a, b in zip(low, high, strict=True))


if __name__ == "__main__":
    record(sys.argv[1], sys.argv[2], int(sys.argv[3]))
