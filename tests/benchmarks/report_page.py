"""What a large tree costs in a report: writing the page, opening it, and drawing it anew, in Debian's Chromium.

python -m tests.benchmarks.report_page
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import tempfile
import time
from contextlib import closing
from pathlib import Path

from playwright.sync_api import Page, sync_playwright
from rich.console import Console
from rich.table import Table

from flows.config import parse_config
from flows.report import write_report
from store import Record
from tests.benchmarks.record_speed import begun, grown, put_on_record

REDRAWS = 60
DRAWN = """async ([what, times]) => {
  const took = [];
  for (let i = 0; i < times; i++) {
    const began = performance.now();
    new Function("i", "times", what)(i, times);
    view.draw();
    view.context.getImageData(0, 0, 1, 1);  // waits until it is drawn
    took.push(performance.now() - began);
  }
  return took.sort((a, b) => a - b)[Math.floor(times / 2)];
}"""
FRAMES = """times => new Promise(done => {
  let left = times, began = performance.now();
  const next = () => {
    view.left += left % 2 ? 3 : -3;
    view.redraw();
    left-- ? requestAnimationFrame(next) : done(times / (performance.now() - began) * 1000);
  };
  next();
})"""
WAYS = {
    "all of it": "",
    "zooming in": "view.zoomBy(1.1)",  # at the chosen answer
    "moving, where labels can be read": "view.over -= 5",
    "sliding through its growth": "if (!i) view.fit(); view.grow(Math.round(search.steps.length * i / times))",
}


async def put_run_on_record(url: str, nodes: int) -> None:
    with closing(Record.open(url, create=True)) as record:
        method = {"name": "aligntree", "limits": {"iterations": nodes // 4}, "chunk_tokens": 8, "exploration": 20}
        settings = parse_config({"methods": [method], "sampling": {"max_tokens": 512}}, "of the benchmark")
        _, (journal,) = await begun(record, settings, ["Once"])
        await put_on_record(journal, grown(settings, nodes // 4))
        await record.release(journal, "interrupted", None)


def opened(page: Page, path: Path) -> float:
    """Seconds until the tree is drawn."""
    began = time.perf_counter()
    page.goto(path.as_uri())
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=10_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url, path = f"sqlite:///{folder}/r.db", Path(folder) / "report.html"
        asyncio.run(put_run_on_record(url, given.nodes))
        with closing(Record.open(url)) as record:
            began = time.perf_counter()
            size = write_report(record, record.run(), path)
            written = time.perf_counter() - began
        table = Table("", "", title=f"a report of one tree of {given.nodes:,} nodes")
        table.add_row("the file", f"{size / 1e6:.1f} MB, written in {written:.2f} s")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
            page = browser.new_page(viewport={"width": 1360, "height": 900}, bypass_csp=True)
            page.goto("about:blank")
            table.add_row("opened and drawn", f"{min(opened(page, path) for _ in range(3)):.2f} s")
            for name, way in WAYS.items():
                table.add_row(f"redrawn: {name}", f"{page.evaluate(DRAWN, [way, REDRAWS]):.1f} ms")
            page.evaluate("view.grow(search.steps.length), view.fit()")
            table.add_row("frames a second, all of it in motion", f"{page.evaluate(FRAMES, REDRAWS):.0f}")
            browser.close()
        Console().print(table)


if __name__ == "__main__":
    main()
