"""Records of earlier schemas: refused with what to do, upgraded with a backup, and the same to read afterwards."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, create_engine, insert, select, text

from flows.audit import audit
from store import Record, RecordUnusable, upgrade_record
from store.settings import record_url as parse_url
from store.version import VERSION, VERSION_TABLE, alembic, upgrade
from tests.conftest import Told

OLD = sorted(Path(__file__).parent.joinpath("data").glob("record_*.sql"))
"""A small record of each past schema, as its version wrote it."""


@pytest.fixture(params=OLD, ids=lambda file: file.stem)
def old(request: pytest.FixtureRequest, record_url: str, tmp_path: Path) -> str:
    """The URL of a record of an earlier schema."""
    file = tmp_path / "old.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(request.param.read_text(encoding="utf-8"))
    if record_url.startswith("sqlite"):
        file.rename(tmp_path / "record.db")
        return record_url
    source, target = create_engine(f"sqlite:///{file}"), create_engine(parse_url(record_url))
    with source.begin() as rows, target.begin() as connection:
        upgrade(connection, request.param.stem.removeprefix("record_"))
        tables = MetaData()
        tables.reflect(rows)
        for table in tables.sorted_tables:
            found = [dict(row) for row in rows.execute(select(table)).mappings()]
            if found and table.name != VERSION_TABLE:
                connection.execute(insert(table), found)
    source.dispose()
    target.dispose()
    return record_url


def test_the_newest_migration_is_this_versions() -> None:
    assert ScriptDirectory.from_config(alembic()).get_current_head() == VERSION


def test_an_older_record_is_refused_until_it_is_upgraded_and_then_reads_the_same(old: str) -> None:
    with pytest.raises(RecordUnusable, match=r"older than this version's.*aligntree upgrade"):
        Record.open(old)
    done = upgrade_record(old)
    assert done.backup is not None
    assert upgrade_record(old).backup is None
    opened = Record.open(old)
    run = opened.run()
    assert run.statuses == {"done": 4}
    (version,) = {search.method_version for search in opened.searches(run.id) if search.method == "aligntree"}
    searched = {2: (", so not kind bad, so good good", " cold"), 3: (" cold, so, so", " good not")}[version]
    assert [search.answer["text"] for search in opened.searches(run.id) if search.answer] == [
        " not is bad sea not is, so and not the good sea", searched[0], " the not", searched[1],
    ]  # fmt: skip
    audited = audit(opened, run.id)
    assert audited.faults == ()
    assert len(audited.not_replayed) == 2
    assert all(f"begun with aligntree version {version}. " in told for told in audited.not_replayed)
    opened.close()


def test_the_backup_is_the_record_as_it_was(old: str) -> None:
    done = upgrade_record(old)
    assert done.backup is not None
    if old.startswith("sqlite"):
        with closing(sqlite3.connect(done.backup)) as connection:
            assert connection.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone() == (done.before,)
            assert connection.execute("SELECT count(*) FROM searches").fetchone() == (4,)
        return
    engine = create_engine(parse_url(old))
    with engine.begin() as connection:
        assert connection.execute(text(f"SELECT count(*) FROM aligntree_{done.before}.searches")).scalar_one() == 4
    engine.dispose()


def test_a_record_that_is_worked_on_is_not_upgraded(old: str) -> None:
    engine = create_engine(parse_url(old))
    with engine.begin() as connection:
        connection.execute(text("UPDATE searches SET status = 'running', expires = 9999999999999 WHERE position = 0"))
    engine.dispose()
    with pytest.raises(RecordUnusable, match="1 searches are being worked on"):
        upgrade_record(old)


def test_the_command_upgrades_once_and_says_where_the_backup_is(aligntree: Callable[..., Told], old: str) -> None:
    status, _, err = aligntree("runs", "--record", old)
    assert status == 2
    assert "aligntree upgrade" in err
    status, out, err = aligntree("upgrade", "--record", old)
    assert status == 0, err
    assert "the record as it was: " in out
    status, out, _ = aligntree("upgrade", "--record", old)
    assert (status, "already" in out) == (0, True)


def test_finished_searches_are_a_view(old: str) -> None:
    upgrade_record(old)
    engine = create_engine(parse_url(old))
    with engine.begin() as connection:
        rows = connection.execute(
            text("SELECT prompt, method, text, value, complete FROM answers ORDER BY position")
        ).all()
    engine.dispose()
    assert [row.method for row in rows] == ["base", "aligntree"] * 2
    assert rows[0].text == " not is bad sea not is, so and not the good sea"
    assert isinstance(rows[0].value, float)
    assert bool(rows[0].complete) is True
