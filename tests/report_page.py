"""What is in a report's file, and records of texts that a test chooses."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from flows.config import parse_config
from flows.methods import Child, Estimate, Grown, build, child_id
from flows.rows import ask_row, told
from store import Record
from tests.benchmarks.record_speed import Step, begun, put_on_record
from tests.hand import samples


class Page(HTMLParser):
    """A report as a browser's parser would cut it: the text of each script and style, and all attributes."""

    def __init__(self, path: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.text = path.read_text(encoding="utf-8")
        self.attributes: list[tuple[str, str, str | None]] = []
        self.elements: list[tuple[str, Mapping[str, str | None], str]] = []
        self.feed(self.text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value) for name, value in attrs]
        self.elements.append((tag, dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        self.elements.append(("", {}, ""))  # what follows is not the element's

    def handle_data(self, data: str) -> None:
        if self.elements:
            tag, attributes, before = self.elements[-1]
            self.elements[-1] = tag, attributes, before + data

    def texts(self, tag: str, kind: str | None = None) -> list[str]:
        return [text for name, attributes, text in self.elements if name == tag and attributes.get("type") == kind]

    @property
    def data(self) -> dict[str, Any]:
        """What is embedded, by the id of its block."""
        return {
            attributes["id"] or "": json.loads(text)
            for tag, attributes, text in self.elements
            if tag == "script" and attributes.get("type") == "application/json"
        }


def body(call: Mapping[str, Any]) -> str:
    """The raw reply of an embedded call."""
    return zlib.decompress(base64.b64decode(call["reply"]["body"])).decode("utf-8", "surrogateescape")


async def put_texts_on_record(url: str, prompt: str, texts: Sequence[str]) -> None:
    """A run of one search that sampled these whole answers."""
    settings = parse_config(
        {"methods": [{"name": "best_of_n", "n": len(texts)}], "sampling": {"max_tokens": 8}}, "of a test"
    )
    record = Record.open(url, create=True)
    _, (journal,) = await begun(record, settings, [prompt])
    method = build(settings.methods[0], prompt, 8, choices=len(texts))
    (ask,) = samples(method)
    children = [
        Child(child_id(ask.node, text, "stop"), text, "stop", 8, 1, Estimate(0.5, "logprobs"), float(number))
        for number, text in enumerate(texts)
    ]
    outcome = Grown(tuple(children), Estimate(1.0, "top-20 midpoint", (0.9, 1.1)), 8, 1)
    await put_on_record(journal, [Step(ask_row(ask), told(0, ask, outcome, "log_ratio", set(), 0.0))])
    method.tell(ask.number, outcome)
    await record.release(journal, "done", method.result().to_json())
    record.close()
