"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_JSON = sa.JSON(none_as_null=True)


def upgrade() -> None:
    op.create_table(
        "budgets",
        sa.Column("scope", sa.String(length=64), nullable=False),
        sa.Column("unit", sa.String(length=16), nullable=False),
        sa.Column("limit", sa.BigInteger(), nullable=True),
        sa.Column("reserved", sa.BigInteger(), nullable=False),
        sa.Column("spent", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "unit", name=op.f("pk_budgets")),
    )
    op.create_table(
        "runs",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("config", _JSON, nullable=False),
        sa.Column("config_sha256", sa.String(length=64), nullable=False),
        sa.Column("versions", _JSON, nullable=False),
        sa.Column("prices", _JSON, nullable=False),
        sa.Column("finding", _JSON, nullable=False),
        sa.Column("heads", _JSON, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
    )
    op.create_table(
        "searches",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("prompt_sha256", sa.String(length=64), nullable=False),
        sa.Column("occurrence", sa.Integer(), nullable=False),
        sa.Column("method", sa.String(length=64), nullable=False),
        sa.Column("method_version", sa.Integer(), nullable=False),
        sa.Column("method_config", _JSON, nullable=False),
        sa.Column("config_sha256", sa.String(length=64), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("answer", _JSON, nullable=True),
        sa.Column("owner", sa.String(length=200), nullable=True),
        sa.Column("expires", sa.BigInteger(), nullable=True),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("links", sa.Integer(), nullable=False),
        sa.Column("head", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_searches_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_searches")),
        sa.UniqueConstraint("run_id", "key", name=op.f("uq_searches_run_id_key")),
    )
    with op.batch_alter_table("searches", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_searches_key"), ["key"], unique=False)

    op.create_table(
        "asks",
        sa.Column("search_id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("node_id", sa.String(length=64), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("payload", _JSON, nullable=False),
        sa.Column("link", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["search_id"], ["searches.id"], name=op.f("fk_asks_search_id")),
        sa.PrimaryKeyConstraint("search_id", "number", name=op.f("pk_asks")),
        sa.UniqueConstraint("search_id", "link", name=op.f("uq_asks_search_id_link")),
    )
    op.create_table(
        "tells",
        sa.Column("search_id", sa.String(length=36), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("ask", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("outcome", _JSON, nullable=False),
        sa.Column("link", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["search_id"], ["searches.id"], name=op.f("fk_tells_search_id")),
        sa.PrimaryKeyConstraint("search_id", "position", name=op.f("pk_tells")),
        sa.UniqueConstraint("search_id", "link", name=op.f("uq_tells_search_id_link")),
    )
    op.create_table(
        "calls",
        sa.Column("search_id", sa.String(length=36), nullable=False),
        sa.Column("ask", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("part", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("attempt", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sent", sa.BigInteger(), nullable=False),
        sa.Column("request", _JSON, nullable=False),
        sa.Column("worst_tokens", sa.BigInteger(), nullable=False),
        sa.Column("worst_price", sa.BigInteger(), nullable=True),
        sa.Column("link", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["search_id", "ask"], ["asks.search_id", "asks.number"], name=op.f("fk_calls_search_id_ask")
        ),
        sa.ForeignKeyConstraint(["search_id"], ["searches.id"], name=op.f("fk_calls_search_id")),
        sa.PrimaryKeyConstraint("search_id", "ask", "part", "attempt", name=op.f("pk_calls")),
        sa.UniqueConstraint("search_id", "link", name=op.f("uq_calls_search_id_link")),
    )
    op.create_table(
        "nodes",
        sa.Column("search_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("parent_id", sa.String(length=64), nullable=False),
        sa.Column("ask", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("finish", sa.String(length=16), nullable=False),
        sa.Column("tokens", sa.Integer(), nullable=False),
        sa.Column("link", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["search_id", "ask"], ["asks.search_id", "asks.number"], name=op.f("fk_nodes_search_id_ask")
        ),
        sa.ForeignKeyConstraint(["search_id"], ["searches.id"], name=op.f("fk_nodes_search_id")),
        sa.PrimaryKeyConstraint("search_id", "id", name=op.f("pk_nodes")),
        sa.UniqueConstraint("search_id", "link", name=op.f("uq_nodes_search_id_link")),
    )
    op.create_table(
        "scores",
        sa.Column("search_id", sa.String(length=36), nullable=False),
        sa.Column("ask", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("node_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("parts", _JSON, nullable=False),
        sa.Column("link", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["search_id", "ask"], ["asks.search_id", "asks.number"], name=op.f("fk_scores_search_id_ask")
        ),
        sa.ForeignKeyConstraint(["search_id"], ["searches.id"], name=op.f("fk_scores_search_id")),
        sa.PrimaryKeyConstraint("search_id", "ask", "node_id", "name", name=op.f("pk_scores")),
        sa.UniqueConstraint("search_id", "link", name=op.f("uq_scores_search_id_link")),
    )
    op.create_table(
        "replies",
        sa.Column("search_id", sa.String(length=36), nullable=False),
        sa.Column("ask", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("part", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("attempt", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("ok", sa.Boolean(), nullable=False),
        sa.Column("failure", _JSON, nullable=True),
        sa.Column("continuations", _JSON, nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cached_tokens", sa.BigInteger(), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False),
        sa.Column("estimated", sa.Boolean(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=True),
        sa.Column("latency", sa.Double(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("link", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["search_id", "ask", "part", "attempt"],
            ["calls.search_id", "calls.ask", "calls.part", "calls.attempt"],
            name=op.f("fk_replies_search_id_ask_part_attempt"),
        ),
        sa.ForeignKeyConstraint(["search_id"], ["searches.id"], name=op.f("fk_replies_search_id")),
        sa.PrimaryKeyConstraint("search_id", "ask", "part", "attempt", name=op.f("pk_replies")),
        sa.UniqueConstraint("search_id", "link", name=op.f("uq_replies_search_id_link")),
    )
