"""The record: runs, searches, asks, calls, replies, nodes, scores, tells; SQLite or Postgres."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from store.chain import fingerprint
from store.errors import BadDump, LeaseLost, NotOnRecord, OutOfBudget, RecordFailed, RecordUnusable, StoreError

if TYPE_CHECKING:
    from store.audit import Chains, Fault
    from store.budget import Cost
    from store.history import History
    from store.journal import Journal
    from store.lease import ENDED
    from store.record import NewRun, NewSearch, Record, RunRow, SearchRow, new_run_id
    from store.rows import AskRow, CallKey, Exchange, NodeRow, ReplyRow, ScoreRow, TellRow
    from store.standing import Standing, Stock, known_keys
    from store.sums import SearchCost, Totals
    from store.upgrade import Upgrade, upgrade_record

_LAZY = {
    **dict.fromkeys(("Chains", "Fault"), "audit"),
    **dict.fromkeys(("SearchCost", "Totals"), "sums"),
    **dict.fromkeys(("Upgrade", "upgrade_record"), "upgrade"),
    **dict.fromkeys(("Standing", "Stock", "known_keys"), "standing"),
    "Cost": "budget",
    "ENDED": "lease",
    "History": "history",
    "Journal": "journal",
    **dict.fromkeys(("AskRow", "CallKey", "Exchange", "NodeRow", "ReplyRow", "ScoreRow", "TellRow"), "rows"),
    **dict.fromkeys(("NewRun", "NewSearch", "Record", "RunRow", "SearchRow", "new_run_id"), "record"),
}

__all__ = [
    "ENDED",
    "AskRow",
    "BadDump",
    "CallKey",
    "Chains",
    "Cost",
    "Exchange",
    "Fault",
    "History",
    "Journal",
    "LeaseLost",
    "NewRun",
    "NewSearch",
    "NodeRow",
    "NotOnRecord",
    "OutOfBudget",
    "Record",
    "RecordFailed",
    "RecordUnusable",
    "ReplyRow",
    "RunRow",
    "ScoreRow",
    "SearchCost",
    "SearchRow",
    "Standing",
    "Stock",
    "StoreError",
    "TellRow",
    "Totals",
    "Upgrade",
    "fingerprint",
    "known_keys",
    "new_run_id",
    "upgrade_record",
]

if not TYPE_CHECKING:  # which would take any name for one of these

    def __getattr__(name: str) -> Any:
        """SQLAlchemy takes a third of a second to import: only when the record is opened."""
        if name in _LAZY:
            return getattr(import_module(f"store.{_LAZY[name]}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
