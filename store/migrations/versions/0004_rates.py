"""Limits per minute, shared by all workers of a record: when the next request to an endpoint may be sent."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "rates",
        sa.Column("endpoint", sa.String(length=64), nullable=False),
        sa.Column("unit", sa.String(length=16), nullable=False),
        sa.Column("free_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("endpoint", "unit", name=op.f("pk_rates")),
    )
