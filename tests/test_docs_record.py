"""What docs/record.md and docs/schema.md say of the record is so in one that a run wrote."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable

import pytest
from sqlalchemy import Engine, create_engine, inspect, text

from flows import RunConfig, align
from store.schema import metadata
from tests import docs_schema
from tests.markdown import ROOT, blocks

PAGE = ROOT / "docs/record.md"


@pytest.fixture
async def record(formula_config: Callable[..., RunConfig], record_url: str) -> AsyncIterator[Engine]:
    await align(["The tide", "A letter"], formula_config(), record=record_url)
    engine = create_engine(record_url.replace("postgresql://", "postgresql+psycopg://"))
    yield engine
    engine.dispose()


def test_every_table_is_told_of() -> None:
    told = PAGE.read_text(encoding="utf-8")
    assert [name for name in metadata.tables if not re.search(rf"^\| .*`{name}`.* \|", told, re.M)] == []


async def test_the_schema_page_has_the_columns_of_a_record_as_it_is_made(record: Engine) -> None:
    """Migrations made it; the page is of the models."""
    page = docs_schema.PAGE.read_text(encoding="utf-8")
    told = {part.splitlines()[0]: re.findall(r"^\| `(\w+)` \|", part, re.M) for part in page.split("\n## ")[1:]}
    made = inspect(record)
    names = {*made.get_table_names()} - {"aligntree_version"}  # Alembic's
    assert {name: {column["name"] for column in made.get_columns(name)} for name in names} == {
        name: {*columns} for name, columns in told.items()
    }


async def test_the_view_has_the_columns_that_are_named(record: Engine) -> None:
    told = re.search(r"^The view `answers`.*?:\s(.*?)\.$", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    assert told is not None
    assert re.findall(r"`(\w+)`", told[1]) == [column["name"] for column in inspect(record).get_columns("answers")]


async def test_queries_that_are_shown_bring_rows(record: Engine) -> None:
    for block in blocks(PAGE, "sql"):
        with record.connect() as connection:
            assert connection.execute(text(block.text)).all()
