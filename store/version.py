"""Which schema a record has. Alembic, which takes long to load, is there to make one and to change one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import URL, Connection, inspect, text

from store.errors import RecordUnusable
from store.settings import shown

if TYPE_CHECKING:
    from alembic.config import Config

VERSION = "0004"
"""The newest of the migrations."""
VERSION_TABLE = "aligntree_version"
"""Alembic's own table under another name: Prefect's server has an alembic_version in its database."""


def version_of(connection: Connection, url: URL) -> str:
    """The record's. Raises RecordUnusable where it is no record, or newer than this version of aligntree."""
    found: str | None = None
    if inspect(connection).has_table(VERSION_TABLE):
        found = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar_one_or_none()
    if found is None:
        mend = "Name another database with --record"
        raise RecordUnusable("holds no record of aligntree", where=f"record {shown(url)}", mend=mend)
    if found > VERSION:
        raise RecordUnusable(
            f"its schema {found!r} is newer than this version's {VERSION!r}",
            where=f"record {shown(url)}",
            mend="Upgrade aligntree: pip install --upgrade aligntree",
        )
    return found


def upgrade(connection: Connection, version: str = "head") -> None:
    """Make the schema what this version wants, from nothing or from an older one."""
    from alembic import command

    config = alembic()
    config.attributes["connection"] = connection
    command.upgrade(config, version)


def alembic() -> Config:
    """Alembic's settings: where the migrations are."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config
