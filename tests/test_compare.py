"""Methods against each other: equal budgets, rows, and figures worked by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows import RunConfig
from flows.compare import BadRows, Row, at_budgets, figures, read_rows, write_rows
from flows.config import load_config
from flows.errors import BadConfig
from flows.methods import WSDConfig, called
from tests.conftest import Told
from tests.formula_api import Fault, FormulaAPI

ROW = Row("p", "base", 1, 0, "done", 0.0, -1.0, True, 8, 4, 1, 1, 0.5, "all answers sampled", " so", "r", "k", "c")


@pytest.fixture
def recipe(formula_config: Callable[..., RunConfig]) -> str:
    """Every method against the loopback API, whose answers have 12 tokens at most."""
    methods = [
        {"name": "base"}, {"name": "best_of_n"}, {"name": "beam", "children": 2, "chunk_tokens": 4},
        {"name": "aligntree", "children": 2, "chunk_tokens": 4},
        {"name": "aligntree", "label": "paper", "preset": "paper"},
    ]  # fmt: skip
    config = formula_config(methods=methods, gold="vader")
    Path("mine.yaml").write_text(yaml.safe_dump(json.loads(config.model_dump_json())), encoding="utf-8")
    return "mine.yaml"


def test_every_method_gets_the_same_budget_of_generated_tokens() -> None:
    config = at_budgets(load_config("comparison"), [8, 16])
    assert [(called(m), m.limits.tokens) for m in config.methods] == [
        ("base @1", None),
        ("best_of_n @8", 512), ("beam @8", 512), ("aligntree @8", 512),
        ("best_of_n @16", 1024), ("beam @16", 1024), ("aligntree @16", 1024),
    ]  # fmt: skip
    told = [m.model_dump() for m in config.methods]
    assert [m.get("n", m.get("width")) for m in told] == [None, None, 2, None, None, 4, None]
    assert all(m["limits"]["iterations"] is None for m in told)


def test_weak_to_strong_decoding_goes_on_to_as_many_answers_as_the_budget_has() -> None:
    (method,) = at_budgets(load_config("comparison", ["methods=[{name: wsd}]"]), [8]).methods
    assert isinstance(method, WSDConfig) and (method.n, method.limits.tokens) == (8, 512)


def test_without_gold_there_is_nothing_to_compare_by() -> None:
    with pytest.raises(BadConfig, match="nothing to compare answers by"):
        at_budgets(load_config("comparison", ["gold=null"]), [8])


def test_compare_prints_figures_and_writes_rows_and_a_picture(
    aligntree: Callable[..., Told], api: FormulaAPI, recipe: str
) -> None:
    Path("prompts.txt").write_text("The tide\nA letter\nMy soup\n", encoding="utf-8")
    given = ("compare", recipe, "--file", "prompts.txt", "--first", "2", "-n", "4", "--record", "c.db", "-q")
    status, out, err = aligntree(*given, "--json")
    assert status == 0, err
    lines = json.loads(out)
    assert [(line["method"], line["answers"], line["searches"]) for line in lines] == [
        ("base", 1, 2), ("best_of_n", 4, 2), ("beam", 4, 2), ("aligntree", 4, 2), ("paper", 4, 2),
    ]  # fmt: skip
    rows = read_rows(Path("comparison/rows.csv"))
    assert len(rows) == 10
    assert all(row.tokens <= row.answers * 12 and row.complete for row in rows)
    assert lines[3]["gain"] is not None and lines[0]["gain"] is None
    assert Path("comparison/comparison.png").read_bytes().startswith(b"\x89PNG")
    calls = len(api.requests)
    status, out, _ = aligntree(
        "compare", "--run", "newest", "--record", "c.db", "-q", "-o", "again", "--against", "beam"
    )
    assert status == 0 and "gain over beam" in out
    assert len(api.requests) == calls  # it is all on record
    status, out, _ = aligntree("compare", "--rows", "comparison/rows.csv", "-o", "from_rows")
    assert status == 0 and "10 rows" in out
    assert Path("from_rows/rows.csv").read_text() == Path("comparison/rows.csv").read_text()


def test_a_comparison_that_was_cut_off_goes_on(aligntree: Callable[..., Told], api: FormulaAPI, recipe: str) -> None:
    usual = api.take

    def goes_down(request: dict[str, Any]) -> Fault | None:
        fault = usual(request)
        return Fault(503) if len(api.requests) > 8 else fault

    api.take = goes_down  # type: ignore[method-assign]
    given = ("compare", recipe, "--file", "sentiment", "--first", "2", "-n", "2", "--record", "c.db", "-q")
    status, _, err = aligntree(*given, "--set", "strong.retry_for=0")
    assert status == 1 and "aligntree resume" in err
    api.take = usual  # type: ignore[method-assign]
    status, _, err = aligntree("compare", "--run", "newest", "--record", "c.db", "-q")
    assert status == 0, err
    assert len(read_rows(Path("comparison/rows.csv"))) == 10


def test_a_run_that_is_no_comparison_is_told_so(aligntree: Callable[..., Told], recipe: str) -> None:
    aligntree("align", "The tide", "-r", recipe, "-m", "base", "-q")
    status, _, err = aligntree("compare", "--run", "newest", "-q")
    assert status == 2
    assert "is no comparison" in err


def rows(**golds: list[float]) -> list[Row]:
    """A row for each gold: prompts p0, p1, ... of methods by name."""
    return [
        replace(
            ROW,
            prompt=f"p{i}",
            method=method,
            answers=1 if method == "base" else 8,
            gold=gold,
            key=f"{method}{i}",
            config=method,
        )
        for method, of in golds.items()
        for i, gold in enumerate(of)
    ]


def test_gains_are_paired_by_prompt_and_seed() -> None:
    """The methods' golds vary widely from prompt to prompt and by 0.1 between them: only pairs show it."""
    base = [(-1) ** i * i / 10 for i in range(10)]
    lines = figures(rows(base=base, tree=[gold + 0.1 for gold in base], beam=[gold + 0.3 for gold in base]))
    gain = lines[1].gain
    assert gain is not None
    assert (round(gain.value, 9), round(gain.low, 9), round(gain.high, 9)) == (0.1, 0.1, 0.1)
    assert lines[1].gold.high - lines[1].gold.low > 0.5
    over_beam = figures(rows(base=base, tree=base, beam=[g + 0.3 for g in base]), against="beam")
    assert [line.gain and round(line.gain.value, 9) for line in over_beam] == [None, -0.3, None]


def test_unpaired_rows_count_in_means_and_not_in_gains() -> None:
    lines = figures(rows(base=[0.0], tree=[0.5, 0.9]))
    assert lines[1].gold.value == pytest.approx(0.7)
    assert lines[1].gain is not None and lines[1].gain.value == 0.5


def test_rows_survive_a_file_and_bad_ones_are_named(tmp_path: Path) -> None:
    told = [replace(ROW, answer='two\r\nlines\r, "quoted" \ud800', gold=None), ROW]
    write_rows(tmp_path / "rows.csv", told)
    assert read_rows(tmp_path / "rows.csv") == told
    (tmp_path / "bad.csv").write_text(
        (tmp_path / "rows.csv").read_text("utf-8", "surrogatepass").replace(',1,0,"done"', ',one,0,"done"', 1),
        "utf-8",
        "surrogatepass",
    )
    with pytest.raises(BadRows, match=r"bad.csv, row 1: is no row of a comparison: answers"):
        read_rows(tmp_path / "bad.csv")
    with pytest.raises(BadRows, match="no search has an answer"):
        figures(told[:1])


def test_what_gains_are_over_must_be_there_at_the_same_budget() -> None:
    two = rows(base=[0.0, 0.0], beam=[0.1, 0.1], tree=[0.2, 0.2])
    at_16 = [replace(row, answers=16, key=row.key + "@16", config="another") for row in two if row.method == "tree"]
    over_beam = figures([*two, *at_16], against="beam")
    assert [(line.method, line.answers, line.gain is None) for line in over_beam] == [
        ("base", 1, True), ("beam", 8, True), ("tree", 8, False), ("tree", 16, True),
    ]  # fmt: skip
    with pytest.raises(BadRows, match=r"no search of beem.*There are base, beam, tree"):
        figures(two, against="beem")


def test_a_search_counts_once_and_a_method_stands_for_one_config() -> None:
    two = rows(base=[0.0, 0.4])
    assert figures([*two, *[replace(row, run="again", gold=1.0) for row in two]])[0].gold.value == pytest.approx(0.2)
    with pytest.raises(BadRows, match="base at 1 answers was measured with two settings"):
        figures([*two, replace(two[0], key="other", config="other")])


def test_searches_without_an_answer_are_told_and_do_not_vanish() -> None:
    (line,) = figures([*rows(base=[0.0, 0.4]), replace(ROW, status="failed", gold=None, key="none", config="base")])
    assert (line.searches, line.failed) == (2, 1)


def test_options_that_contradict_each_other_are_refused(aligntree: Callable[..., Told], recipe: str) -> None:
    for given in (("--run", "newest", "-n", "8"), ("--run", "newest", recipe), ("--rows", "rows.csv", "--first", "3")):
        write_rows(Path("rows.csv"), [ROW])
        status, _, err = aligntree("compare", *given, "-q")
        assert status == 2 and "for a comparison that begins" in err


def test_gains_over_a_method_that_is_not_there_are_refused_before_anything_is_sent(
    aligntree: Callable[..., Told], api: FormulaAPI, recipe: str
) -> None:
    status, _, err = aligntree("compare", recipe, "--against", "beem", "-q")
    assert (status, api.connections) == (2, 0)
    assert "no search of beem, that gains are to be over. There are" in err


def test_a_budget_that_a_beam_cannot_divide_is_refused() -> None:
    with pytest.raises(BadConfig, match="= 10 is no multiple of K = 4 of beam"):
        at_budgets(load_config("comparison"), [10])
