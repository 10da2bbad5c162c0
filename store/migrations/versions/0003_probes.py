"""Probes: what an endpoint was found to do, with their calls."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_JSON = sa.JSON(none_as_null=True)


def upgrade() -> None:
    op.create_table(
        "probes",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("finding", _JSON, nullable=True),
        sa.Column("hash", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_probes")),
    )
    op.create_index(op.f("ix_probes_key"), "probes", ["key"])
    op.create_index(op.f("ix_probes_run_id"), "probes", ["run_id"])
    op.create_table(
        "probe_calls",
        sa.Column("probe_id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sent", sa.BigInteger(), nullable=False),
        sa.Column("request", _JSON, nullable=False),
        sa.Column("worst_tokens", sa.BigInteger(), nullable=False),
        sa.Column("worst_price", sa.BigInteger(), nullable=True),
        sa.Column("received", sa.BigInteger(), nullable=True),
        sa.Column("ok", sa.Boolean(), nullable=True),
        sa.Column("failure", _JSON, nullable=True),
        sa.Column("continuations", _JSON, nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("input_tokens", sa.BigInteger(), nullable=True),
        sa.Column("cached_tokens", sa.BigInteger(), nullable=True),
        sa.Column("output_tokens", sa.BigInteger(), nullable=True),
        sa.Column("estimated", sa.Boolean(), nullable=True),
        sa.Column("price", sa.BigInteger(), nullable=True),
        sa.Column("latency", sa.Double(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["probe_id"], ["probes.id"], name=op.f("fk_probe_calls_probe_id")),
        sa.PrimaryKeyConstraint("probe_id", "number", name=op.f("pk_probe_calls")),
    )
