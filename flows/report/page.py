"""The page: template, styles, scripts and data in one file, which asks nobody for anything."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from flows.report.overview import overview
from flows.report.searches import search_calls, search_tree
from store import Record, RunRow

LIBRARY = "vendor/d3.min.js"
SCRIPTS = LIBRARY, "page/data.js", "page/tree.js", "page/details.js", "page/answers.js", "page/main.js"


def write_report(record: Record, run: RunRow, path: Path) -> int:
    """Write the run, as the record has it now, as one HTML file: all or nothing. Returns its bytes.

    What models and users wrote is in the page as JSON alone, in which no `<` is left, and is shown as text; the page's
    policy lets no script run but its own, and nothing be fetched.
    """
    template = _environment().get_template("page.html")
    script, style = "\n".join(_asset(name) for name in SCRIPTS), _asset("page/page.css")
    scratch = path.with_name(f"{path.name}.part")
    template.stream(
        name=run.name, script=script, style=style, script_hash=_hash(script), style_hash=_hash(style),
        overview=overview(record, run), searches=_searches(record, run),
    ).dump(str(scratch), encoding="utf-8", errors="replace")  # fmt: skip
    scratch.replace(path)
    return path.stat().st_size


def _searches(record: Record, run: RunRow) -> Iterator[tuple[int, Any, Any]]:
    """Number, tree and calls of each, read as they are written: a run may be larger than memory."""
    for number, row in enumerate(record.searches(run.id)):
        yield number, search_tree(record, run, row), search_calls(record, row)


def _environment() -> Environment:
    """`tojson` writes <, >, & and ' as \\u003c and so on, and whatever is not ASCII as an escape too."""
    environment = Environment(loader=PackageLoader("flows.report", "page"), autoescape=True, undefined=StrictUndefined)
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}
    return environment


@cache
def _asset(name: str) -> str:
    return files("flows.report").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """As a Content-Security-Policy names it."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
