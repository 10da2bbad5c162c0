"""The page of a run in a real browser: Debian's Chromium, headless."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from flows import RunConfig, align
from flows.report import write_report
from flows.report.searches import search_tree
from store import Record
from tests.formula_api import FormulaAPI
from tests.report_page import put_texts_on_record

pytestmark = pytest.mark.system

ALIGNTREE = {"name": "aligntree", "limits": {"iterations": 8}, "children": 3, "chunk_tokens": 2}
Opened = tuple[Page, dict[str, Any]]
"""A page, and the tree that it holds of its last search."""


def done(work: Coroutine[Any, Any, object]) -> None:
    """Playwright's own event loop has this thread."""
    with ThreadPoolExecutor(1) as threads:
        threads.submit(asyncio.run, work).result()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        yield chromium
        chromium.close()


@pytest.fixture
def opened(browser: Browser) -> Iterator[Callable[[], Opened]]:
    """Opens a report of the newest run of r.db; at the end the page has complained of nothing, asked for nothing."""
    page = browser.new_page(viewport={"width": 1300, "height": 900}, color_scheme="light")
    said: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            said.append(message.text)

    def show() -> Opened:
        with closing(Record.open("r.db")) as record:
            run = record.run()
            tree = search_tree(record, run, record.searches(run.id)[-1])
            write_report(record, run, Path("report.html"))
        page.on("console", heard)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: said.append(request.url) if request.url != address else None)
        page.goto(address)
        return page, tree

    address = Path("report.html").absolute().as_uri()
    yield show
    page.close()
    assert said == []


@pytest.fixture
def searched(api: FormulaAPI, formula_config: Callable[..., RunConfig], opened: Callable[[], Opened]) -> Opened:
    config = formula_config(
        methods=[{"name": "base"}, ALIGNTREE], gold="vader", strong={"input_price": 1.0, "output_price": 2.0}
    )
    done(align(["The tide"], config, record="r.db"))
    return opened()


def click_node(page: Page, number: int) -> None:
    x, y = page.evaluate(f"[view.x({number}), view.y({number})]")
    page.locator("#canvas").click(position={"x": x, "y": y})


def shown(page: Page) -> list[int]:
    found: list[int] = page.evaluate("search.nodes.map((_, i) => i).filter(i => view.shown(i))")
    return found


def test_a_click_on_a_node_tells_all_of_it(searched: Opened) -> None:
    page, tree = searched
    leaf = next(i for i, node in enumerate(tree["nodes"]) if node["level"] == 2)
    click_node(page, leaf)
    node = tree["nodes"][leaf]
    expect(page.locator("#details h3 code")).to_have_attribute("title", node["id"])
    text = "The tide" + tree["nodes"][node["parent"]]["text"] + node["text"]
    assert page.locator("#text").text_content() == text
    numbers = page.locator("#numbers").inner_text()
    assert f"{node['value']:+.3f}".replace("-", "−") in numbers
    assert "(logprobs)" in numbers and "visits N" in numbers
    assert "log-ratios of single tokens" in page.locator("#chunk-legend").inner_text()
    assert "USD" in page.locator("table.call").inner_text()
    page.get_by_text("Raw reply").click()
    expect(page.locator("details[open] pre")).to_contain_text('"choices"')
    page.locator("#text .chunk").first.click()  # the chunk above
    expect(page.locator("#details h3 code")).to_have_attribute("title", tree["nodes"][node["parent"]]["id"])
    click_node(page, 0)
    expect(page.locator("#numbers")).to_contain_text("bits in [")


def test_a_link_to_a_search_opens_it(searched: Opened) -> None:
    page, _ = searched
    expect(page.locator("#search")).to_have_value("1")
    page.evaluate("location.hash = 'search=1'")
    page.reload()
    expect(page.locator("#search")).to_have_value("0")


def test_sliding_grows_the_tree_as_it_was_told(searched: Opened) -> None:
    page, tree = searched
    slider = page.locator("#step")
    for step in (0, 1, 3, len(tree["steps"])):
        slider.fill(str(step))
        assert shown(page) == [i for i, node in enumerate(tree["nodes"]) if node["step"] <= step]
        visits: dict[int, int] = {}
        for changed in tree["visits"][: step + 1]:
            visits |= dict(changed)
        assert page.evaluate("[...view.visits]") == [visits.get(i, 0) for i in range(len(tree["nodes"]))]
    expect(page.locator("#step-shown")).to_contain_text(f"{len(tree['nodes']) - 1} nodes")


def test_filters_keys_and_finding_do_what_they_say(searched: Opened) -> None:
    page, tree = searched
    nodes, title = tree["nodes"], page.locator("#details h3 code")
    page.locator("#depth").fill("1")
    assert shown(page) == [i for i, node in enumerate(nodes) if node["level"] <= 1]
    page.locator("#depth").fill("9")
    page.locator("#least").fill("1")
    faint = page.evaluate("search.nodes.map((_, i) => view.faint(i))")
    assert faint == [node["value"] is not None and node["value"] < view_least(page) for node in nodes]
    canvas = page.locator("#canvas")
    canvas.press("Home")
    expect(title).to_have_attribute("title", nodes[0]["id"])
    canvas.press("ArrowRight")
    best = max((node for node in nodes if node["parent"] == 0), key=lambda node: node["value"])
    expect(title).to_have_attribute("title", best["id"])
    canvas.press("ArrowDown")
    assert title.get_attribute("title") in {node["id"] for node in nodes if node["level"] == 1} - {best["id"]}
    canvas.press("ArrowLeft")
    expect(title).to_have_attribute("title", nodes[0]["id"])
    canvas.press("End")
    expect(title).to_have_attribute("title", nodes[tree["chosen"]]["id"])
    canvas.press("[")
    expect(page.locator("#step")).to_have_value(str(len(tree["steps"]) - 1))
    canvas.press("]")
    canvas.press("/")
    page.keyboard.type("GOOD")
    hits = page.evaluate("hits")
    assert hits == [i for i, node in enumerate(nodes) if "good" in node["text"]]
    page.keyboard.press("Enter")
    assert title.get_attribute("title") in {nodes[i]["id"] for i in hits}


def view_least(page: Page) -> float:
    return float(page.evaluate("view.least"))


def test_both_methods_stand_side_by_side_and_open_their_trees(searched: Opened) -> None:
    page, _ = searched
    headings = page.locator("#answers th").all_inner_texts()
    assert headings == ["prompt", "base", "aligntree"]
    page.locator("#answers .open").first.click()
    assert page.evaluate("search.method") == "base"
    expect(page.locator("#search")).to_have_value("0")


def test_light_and_dark(searched: Opened) -> None:
    page, _ = searched
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    page.locator("#theme").click()
    assert page.evaluate(background) != light and page.evaluate("view.dark")
    page.locator("#theme").click()
    assert page.evaluate(background) == light
    page.emulate_media(color_scheme="dark")
    page.reload()
    assert page.evaluate(background) != light and page.evaluate("view.dark")


def test_a_script_in_an_answer_is_text(opened: Callable[[], Opened]) -> None:
    texts = [
        "</script><script>document.title = 'attacked'</script>",
        "<img src=x onerror=\"document.title = 'attacked'\">",
        "\u202e<b>turned</b>",
    ]
    done(put_texts_on_record("r.db", "<script>document.title = 'attacked'</script>", texts))
    page, tree = opened()
    for number in range(1, len(tree["nodes"])):
        click_node(page, number)
        assert page.locator("#text").text_content() == page.evaluate("search.prompt") + texts[number - 1]
    assert page.title() == "benchmark: aligntree report"
    assert page.locator("main img, main b, main script").count() == 0


def test_an_answer_of_a_megabyte_is_shown(opened: Callable[[], Opened]) -> None:
    long = "A word and <b>. " * 65_536
    done(put_texts_on_record("r.db", "The tide", [long, " short"]))
    page, _ = opened()
    click_node(page, 1)
    assert page.locator("#text").text_content() == "The tide" + long
