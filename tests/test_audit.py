"""An audit finds whatever was changed, removed, swapped or cut off, and says where."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, text

from flows import RunConfig, align
from flows.audit import Audit, audit
from store import Record, StoreError
from store.schema import CHAINED, runs, searches
from store.settings import record_url as parse_url
from tests.conftest import Told
from tests.formula_api import PROBED, Fault, FormulaAPI

METHODS = [
    {"name": "aligntree", "limits": {"iterations": 4}, "children": 2, "chunk_tokens": 3, "in_flight": 2},
    {"name": "beam", "width": 2, "children": 2, "chunk_tokens": 6, "chunk": "line"},
]
MUTABLE = {"searches": {"status", "answer", "owner", "expires", "fence"}, "runs": set[str]()}


def audited(record: str) -> Audit:
    opened = Record.open(record)
    try:
        return audit(opened, opened.find())
    finally:
        opened.close()


async def some_run(api: FormulaAPI, formula_config: Callable[..., RunConfig], record: str) -> None:
    """With a request tried again, one refused, and one lost with a stop by budget."""
    usual = api.take

    def now_and_then(request: dict[str, Any]) -> Fault | None:
        fault = usual(request)
        return Fault({2: 503, 5: 400}[len(api.requests)]) if len(api.requests) in (2, 5) else fault

    api.take = now_and_then  # type: ignore[method-assign]
    strong = {"choices_per_request": 1, "retry_for": 30, "input_price": "1", "output_price": "2"}
    config = formula_config(methods=METHODS, strong=strong, budget={"requests": 30 + PROBED})
    await align(["The tide", "A letter \x00 é 🍲"], config, record=record)


async def test_a_run_that_nobody_touched_has_no_faults(
    api: FormulaAPI, formula_config: Callable[..., RunConfig], record_url: str
) -> None:
    await some_run(api, formula_config, record_url)
    found = audited(record_url)
    assert found.faults == ()
    assert (found.searches, len(found.head)) == (4, 64)
    assert found.rows > 100


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on record in one file, to be copied and tampered with."""
    from unittest.mock import patch

    from tests.conftest import config_for
    from tests.formula_scorer import open_formula_scorer

    api, file = FormulaAPI(), tmp_path_factory.mktemp("audit") / "r.db"
    with patch("flows.bench.open_scorer", open_formula_scorer):
        asyncio.run(some_run(api, lambda **of: config_for(api.base, **of), str(file)))
    api.close()
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
    return file


def tampered(written: Path, change: Callable[[sqlite3.Connection], object]) -> Audit:
    with TemporaryDirectory() as folder:
        file = shutil.copy(written, folder)
        with closing(sqlite3.connect(file)) as connection, connection:
            change(connection)
        return audited(str(file))


PLACES = [
    (table.name, column.name)
    for table in (*CHAINED, runs, searches)
    for column in table.c
    if column.name not in MUTABLE.get(table.name, ())
]


@given(st.sampled_from(PLACES), st.integers(0, 2**32), st.integers(0, 2**32), st.integers(1, 255))
@settings(
    max_examples=400,
    deadline=None,
    phases=(Phase.generate,),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_a_change_of_any_byte_of_any_immutable_row_is_found(
    written: Path, place: tuple[str, str], row: int, byte: int, flip: int
) -> None:
    table, column = place

    def change(connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA foreign_keys=OFF")
        rowids = [r[0] for r in connection.execute(f"SELECT rowid FROM {table}")]
        rowid = rowids[row % len(rowids)]
        query = f"SELECT typeof({column}), CAST({column} AS BLOB) FROM {table} WHERE rowid = ?"
        kind, raw = connection.execute(query, (rowid,)).fetchone()
        if kind == "null" or not raw:
            new: Any = 1
        elif kind in ("integer", "real"):
            number = connection.execute(f"SELECT {column} FROM {table} WHERE rowid = ?", (rowid,)).fetchone()[0]
            new = number + flip
        else:
            at = byte % len(raw)
            new = raw[:at] + bytes([raw[at] ^ flip]) + raw[at + 1 :]
        as_it_was = "CAST(? AS TEXT)" if kind == "text" else "?"
        connection.execute(f"UPDATE {table} SET {column} = {as_it_was} WHERE rowid = ?", (new, rowid))

    try:
        found = tampered(written, change)
    except (sqlite3.IntegrityError, StoreError):
        return  # another row has that key; the run's own id is none any more, and the record says so
    assert found.faults


@given(st.sampled_from([table.name for table in CHAINED]), st.integers(0, 2**32))
@settings(
    max_examples=40,
    deadline=None,
    phases=(Phase.generate,),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_a_row_that_was_removed_is_found_and_located(written: Path, table: str, row: int) -> None:
    gone: list[tuple[str, int]] = []

    def change(connection: sqlite3.Connection) -> None:
        places = connection.execute(f"SELECT rowid, search_id, link FROM {table}").fetchall()
        rowid, *place = places[row % len(places)]
        gone.append(tuple(place))
        connection.execute(f"DELETE FROM {table} WHERE rowid = ?", (rowid,))

    found = tampered(written, change)
    ((search, link),) = gone
    assert any(f.where.startswith(f"search {search}, link {link}") for f in found.faults), (gone, found.faults)


def test_rows_that_were_swapped_are_found(written: Path) -> None:
    def change(connection: sqlite3.Connection) -> None:
        (one, text_one), (other, text_other) = connection.execute(
            "SELECT rowid, text FROM nodes GROUP BY text LIMIT 2"
        ).fetchall()
        connection.execute("UPDATE nodes SET text = ? WHERE rowid = ?", (text_other, one))
        connection.execute("UPDATE nodes SET text = ? WHERE rowid = ?", (text_one, other))

    found = tampered(written, change)
    assert sum("(nodes): changed" in str(fault) for fault in found.faults) == 2


@pytest.mark.parametrize("hides", [False, True])
def test_a_tail_that_was_cut_off_is_found_even_if_the_search_is_made_to_agree(written: Path, hides: bool) -> None:
    def change(connection: sqlite3.Connection) -> None:
        search, links = connection.execute("SELECT id, links FROM searches ORDER BY position LIMIT 1").fetchone()
        for table in CHAINED:
            connection.execute(f"DELETE FROM {table.name} WHERE search_id = ? AND link > ?", (search, links - 5))
        if hides:
            union = " UNION ".join(f"SELECT search_id, link, hash FROM {table.name}" for table in CHAINED)
            query = f"SELECT hash FROM ({union}) WHERE search_id = ? AND link = ?"
            (head,) = connection.execute(query, (search, links - 5)).fetchone()
            connection.execute("UPDATE searches SET links = ?, head = ? WHERE id = ?", (links - 5, head, search))

    told = [str(fault) for fault in tampered(written, change).faults]
    assert any("does not end where the run noted" in fault if hides else "cut off" in fault for fault in told)


def test_a_search_that_was_removed_whole_is_found(written: Path) -> None:
    def change(connection: sqlite3.Connection) -> None:
        (search,) = connection.execute("SELECT id FROM searches ORDER BY position DESC LIMIT 1").fetchone()
        for table in CHAINED:
            connection.execute(f"DELETE FROM {table.name} WHERE search_id = ?", (search,))
        connection.execute("DELETE FROM searches WHERE id = ?", (search,))
        connection.execute("UPDATE runs SET heads = NULL")

    assert any("one of its searches was removed" in str(fault) for fault in tampered(written, change).faults)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            "UPDATE searches SET answer = replace(answer, '\"complete\": true', '\"complete\": false')",
            "told again it is",
        ),
        ("UPDATE budgets SET spent = spent - 1 WHERE unit = 'tokens'", "counter of tokens: spent is"),
        ("DELETE FROM budgets", "counter of requests: spent is 0"),
    ],
)
def test_answers_and_counters_are_held_against_the_rows(written: Path, change: str, told: str) -> None:
    found = tampered(written, lambda connection: connection.execute(change))
    assert any(told in str(fault) for fault in found.faults)


async def test_a_row_changed_in_postgres_is_found_too(
    api: FormulaAPI, formula_config: Callable[..., RunConfig], record_url: str
) -> None:
    await some_run(api, formula_config, record_url)
    engine = create_engine(parse_url(record_url))
    with engine.begin() as connection:
        connection.execute(text("UPDATE replies SET latency = latency + 0.001 WHERE ask = 1"))
    engine.dispose()
    found = audited(record_url)
    assert found.faults and all("(replies): changed" in str(fault) for fault in found.faults)


async def test_the_command_tells_faults_and_exits_with_1(
    aligntree: Callable[..., Told], api: FormulaAPI, formula_config: Callable[..., RunConfig]
) -> None:
    await some_run(api, formula_config, "aligntree.db")
    status, out, _ = await asyncio.to_thread(aligntree, "audit")
    assert status == 0
    assert "as it was written, and told again the same" in out
    with sqlite3.connect("aligntree.db") as connection:
        connection.execute("UPDATE tells SET outcome = '{}' WHERE position = 0")
    status, out, _ = await asyncio.to_thread(aligntree, "audit", "--json")
    assert status == 1
    assert "link" in json.loads(out)["faults"][0]["where"]
