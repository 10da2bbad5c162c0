"""The tables. Rows are appended and never changed, but for a search's status, answer, lease and chain head, a run's
heads, the budget counters, and a probe's finding and replies, which are set once. Times are milliseconds since 1970
(UTC), by the database's clock; money is nano-dollars.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from store.text import SafeJSON, SafeText

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

HASH = String(64)


class now(FunctionElement[int]):
    """The database's clock, in milliseconds since 1970."""

    type = BigInteger()
    inherit_cache = True


NOW = {
    "sqlite": "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)",
    "postgresql": "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)",
}
"""The same in SQL, by dialect."""


@compiles(now)
def _now(_: now, compiler: SQLCompiler, **__: Any) -> str:
    return NOW[compiler.dialect.name]


runs = Table(
    "runs",
    metadata,
    Column("id", String(36), primary_key=True, doc="UUIDv7: sorts by time"),
    Column("created", BigInteger, nullable=False),
    Column("name", SafeText, nullable=False, doc="of the recipe"),
    Column("config", SafeJSON, nullable=False, doc="resolved, never just a preset's name"),
    Column("config_sha256", HASH, nullable=False),
    Column("versions", SafeJSON, nullable=False),
    Column("prices", SafeJSON, nullable=False),
    Column("finding", SafeJSON, nullable=False, doc="what the probe saw; the weak pair's device and number format"),
    Column("limits", SafeJSON, nullable=False, doc="budgets: scope -> unit -> the most"),
    Column("hash", HASH, nullable=False, doc="of all of the above; empty for runs begun with schema 0001"),
    Column("heads", SafeJSON, nullable=True, doc="at the end: search id -> head of its chain"),
)

searches = Table(
    "searches",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("run_id", ForeignKey("runs.id"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("key", HASH, nullable=False, doc="identity: prompt hash, occurrence, config hash, seed"),
    Column("prompt", SafeText, nullable=False),
    Column("prompt_sha256", HASH, nullable=False),
    Column("occurrence", Integer, nullable=False),
    Column("method", String(64), nullable=False),
    Column("method_version", Integer, nullable=False),
    Column("method_config", SafeJSON, nullable=False),
    Column("config_sha256", HASH, nullable=False, doc="of all that shapes the tree: method, sampling, models"),
    Column("seed", BigInteger, nullable=False),
    Column("fork_of", String(36), nullable=True, doc="a search whose record this one goes on from"),
    Column("fork_at", Integer, nullable=True, doc="how many of its tells are inherited"),
    Column("status", String(16), nullable=False, doc="waiting, running, interrupted, done, failed"),
    Column("answer", SafeJSON, nullable=True),
    Column("owner", String(200), nullable=True, doc="lease"),
    Column("expires", BigInteger, nullable=True),
    Column("fence", Integer, nullable=False),
    Column("links", Integer, nullable=False, doc="chain: how many rows, and the last one's hash"),
    Column("head", HASH, nullable=False),
    UniqueConstraint("run_id", "key"),
    Index(None, "key"),
)


probes = Table(
    "probes",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("run_id", String(36), nullable=False, index=True, doc="that paid for it; begun after it"),
    Column("key", HASH, nullable=False, index=True, doc="of all that shapes what it finds"),
    Column("created", BigInteger, nullable=False),
    Column("finding", SafeJSON, nullable=True, doc="none: it failed, or was killed"),
    Column("hash", HASH, nullable=True, doc="of the above and of its calls"),
)


def _what_came_back(*, nullable: bool) -> tuple[Column[Any], ...]:
    return (
        Column("received", BigInteger, nullable=nullable),
        Column("ok", Boolean, nullable=nullable),
        Column("failure", SafeJSON, nullable=True, doc="what, status, blame, billed"),
        Column("continuations", SafeJSON, nullable=True, doc="parsed form"),
        Column("body", LargeBinary, nullable=nullable, doc="as it came, redacted, compressed (zlib)"),
        Column("input_tokens", BigInteger, nullable=nullable),
        Column("cached_tokens", BigInteger, nullable=nullable),
        Column("output_tokens", BigInteger, nullable=nullable),
        Column("estimated", Boolean, nullable=nullable),
        Column("price", BigInteger, nullable=True),
        Column("latency", Double, nullable=nullable),
        Column("request_id", SafeText, nullable=True),
    )


def _what_was_sent() -> tuple[Column[Any], ...]:
    return (
        Column("sent", BigInteger, nullable=False),
        Column("request", SafeJSON, nullable=False, doc="all but the text, which its node tells; its sha256 instead"),
        Column("worst_tokens", BigInteger, nullable=False),
        Column("worst_price", BigInteger, nullable=True, doc="None: the price is unknown"),
    )


probe_calls = Table(
    "probe_calls",
    metadata,
    Column("probe_id", ForeignKey("probes.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    *_what_was_sent(),
    *_what_came_back(nullable=True),  # none until it did
)


def _chained(name: str, *columns: Any) -> Table:
    """A table of immutable rows of a search, each with its place and hash in the search's chain."""
    return Table(
        name,
        metadata,
        Column("search_id", ForeignKey("searches.id"), primary_key=True),
        *columns,
        Column("link", Integer, nullable=False),
        Column("hash", HASH, nullable=False),
        UniqueConstraint("search_id", "link"),
    )


asks = _chained(
    "asks",
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(16), nullable=False, doc="sample, judge, draft, likelihood, keep"),
    Column("node_id", HASH, nullable=False),
    Column("attempt", Integer, nullable=False, doc="how often this node had been asked before"),
    Column("payload", SafeJSON, nullable=False, doc="n, max_tokens; of a judge the candidates"),
)

calls = _chained(
    "calls",
    Column("ask", Integer, primary_key=True, autoincrement=False),
    Column("part", Integer, primary_key=True, autoincrement=False, doc="of an ask split over requests"),
    Column("attempt", Integer, primary_key=True, autoincrement=False, doc="of a request tried again"),
    *_what_was_sent(),
    ForeignKeyConstraint(["search_id", "ask"], ["asks.search_id", "asks.number"]),
)

replies = _chained(
    "replies",
    Column("ask", Integer, primary_key=True, autoincrement=False),
    Column("part", Integer, primary_key=True, autoincrement=False),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    *_what_came_back(nullable=False),
    ForeignKeyConstraint(
        ["search_id", "ask", "part", "attempt"],
        ["calls.search_id", "calls.ask", "calls.part", "calls.attempt"],
    ),
)

nodes = _chained(
    "nodes",
    Column("id", HASH, primary_key=True, doc="sha256(parent id, finish, text); the root, sha256(prompt), has no row"),
    Column("parent_id", HASH, nullable=False),
    Column("ask", Integer, nullable=False, doc="that brought it first"),
    Column("text", SafeText, nullable=False),
    Column("finish", String(16), nullable=False),
    Column("tokens", Integer, nullable=False, doc="strong tokens of the chunk"),
    ForeignKeyConstraint(["search_id", "ask"], ["asks.search_id", "asks.number"]),
)

scores = _chained(
    "scores",
    Column("ask", Integer, primary_key=True, autoincrement=False),
    Column("node_id", HASH, primary_key=True),
    Column("name", String(64), primary_key=True, doc="log_ratio; prior; entropy (of the grown node); judge"),
    Column("value", Double, nullable=False),
    Column("parts", SafeJSON, nullable=False, doc="named parts; rung and bounds"),
    ForeignKeyConstraint(["search_id", "ask"], ["asks.search_id", "asks.number"]),
)

tells = _chained(
    "tells",
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("ask", Integer, nullable=True, doc="None: a stop"),
    Column("kind", String(16), nullable=False, doc="grown, judged, likely, failed, stop"),
    Column("outcome", SafeJSON, nullable=False, doc="grown: [node id, count] in order; else the reason"),
)

budgets = Table(
    "budgets",
    metadata,
    Column("scope", String(64), primary_key=True, doc="run:ID, day:YYYY-MM-DD, all"),
    Column("unit", String(16), primary_key=True, doc="requests, tokens, nano_usd"),
    Column("reserved", BigInteger, nullable=False),
    Column("spent", BigInteger, nullable=False),
)

rates = Table(
    "rates",
    metadata,
    Column("endpoint", HASH, primary_key=True, doc="of model and address"),
    Column("unit", String(16), primary_key=True, doc="requests, tokens"),
    Column("free_at", BigInteger, nullable=False, doc="when the next may be sent, in microseconds since 1970"),
)

CHAINED = (asks, calls, replies, nodes, scores, tells)
