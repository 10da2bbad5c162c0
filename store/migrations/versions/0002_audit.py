"""What an audit needs: a hash of each run's own row, limits with the run, forks; and finished answers as a view."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_JSON = sa.JSON(none_as_null=True)
_ANSWER = {
    "sqlite": "json_extract(answer, '$.{}')",
    "postgresql": "answer::json ->> '{}'",
}


def upgrade() -> None:
    connection = op.get_bind()
    with op.batch_alter_table("runs") as runs:
        runs.add_column(sa.Column("limits", _JSON, nullable=False, server_default="{}"))
        # Empty for runs begun before: the chains of their searches do not cover their own row.
        runs.add_column(sa.Column("hash", sa.String(length=64), nullable=False, server_default=""))
    budgets = sa.table("budgets", *map(sa.column, ("scope", "unit", "limit")))
    limits: dict[str, dict[str, int]] = {}
    for scope, unit, limit in connection.execute(sa.select(budgets).where(budgets.c.limit.is_not(None))):
        limits.setdefault(scope.removeprefix("run:"), {})[unit] = limit
    table = sa.table("runs", sa.column("id"), sa.column("limits"))
    for run_id, of_run in limits.items():
        told = json.dumps({"run": of_run})
        connection.execute(sa.update(table).where(table.c.id == run_id).values(limits=told))
    with op.batch_alter_table("runs") as runs:
        runs.alter_column("limits", server_default=None)
        runs.alter_column("hash", server_default=None)
    with op.batch_alter_table("budgets") as counters:
        counters.drop_column("limit")
    with op.batch_alter_table("searches") as searches:
        searches.add_column(sa.Column("fork_of", sa.String(length=36), nullable=True))
        searches.add_column(sa.Column("fork_at", sa.Integer(), nullable=True))
    part = _ANSWER[connection.dialect.name].format
    op.execute(
        f"""CREATE VIEW answers AS
        SELECT run_id, id AS search_id, position, prompt, method, seed, status, {part("text")} AS text,
               CAST({part("value")} AS DOUBLE PRECISION) AS value,
               CAST({part("complete")} AS BOOLEAN) AS complete, {part("why")} AS why
        FROM searches WHERE status IN ('done', 'failed')"""
    )
