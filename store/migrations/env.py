"""Alembic's entry: run the migrations on the connection that Database hands over."""

from __future__ import annotations

from alembic import context

from store.schema import metadata
from store.version import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,
)
context.run_migrations()
