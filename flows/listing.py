"""The runs on record as a list: which of them, in which order, and what each came to."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from flows.errors import BadConfig

if TYPE_CHECKING:
    from store import Record, RunRow, Spent

Status = Literal["done", "failed", "unfinished"]
"""Of a run: each search brought an answer; all have ended and some brought none; `aligntree resume` goes on with it."""
Order = Literal["when", "cost", "tokens", "status"]

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True)
class Listed:
    """A run on record and what its requests came to. `nano_usd`: None where the price is unknown."""

    run: RunRow
    spent: Spent

    @property
    def model(self) -> str:
        return str(self.run.config["strong"]["model"])

    @property
    def methods(self) -> list[str]:
        """As tables call them."""
        return [method.get("label") or method["name"] for method in self.run.config["methods"]]

    @property
    def status(self) -> Status:
        if self.run.unfinished:
            return "unfinished"
        return "failed" if self.run.statuses.get("failed") else "done"

    @property
    def nano_usd(self) -> int | None:
        return self.spent.nano_usd if set(self.run.prices) - {"judge"} else None  # one known, the strong model's not

    def to_json(self) -> dict[str, Any]:
        own = {"status": self.status, "model": self.model, "methods": self.methods, "nano_usd": self.nano_usd}
        return asdict(self.run) | asdict(self.spent) | own


@dataclass(frozen=True)
class Wanted:
    """Which runs: None is any. `recipe` is the recipe's name, `model` part of the strong model's."""

    status: Status | None = None
    recipe: str | None = None
    model: str | None = None
    method: str | None = None
    since: datetime | None = None

    def holds(self, listed: Listed) -> bool:
        return (
            self.status in (None, listed.status)
            and self.recipe in (None, listed.run.name)
            and (self.model is None or self.model in listed.model)
            and (self.method is None or self.method in _names(listed.run))
            and (self.since is None or listed.run.created >= self.since.timestamp() * 1000)
        )


def list_runs(record: Record, wanted: Wanted = Wanted(), order: Order = "when") -> list[Listed]:
    """The newest, dearest or longest first; by status what is to be done something about; then the newest."""
    from store import Spent  # SQLAlchemy with it, which --help does not need

    spent = record.spent()
    found = [Listed(run, spent.get(run.id, Spent())) for run in record.runs()]
    return sorted(filter(wanted.holds, found), key=_BY[order])


_BY: Mapping[Order, Callable[[Listed], int]] = {
    "when": lambda listed: -listed.run.created,
    "cost": lambda listed: -(listed.nano_usd or 0),
    "tokens": lambda listed: -listed.spent.tokens,
    "status": lambda listed: ("unfinished", "failed", "done").index(listed.status),
}


def moment(text: str, now: datetime | None = None) -> datetime:
    """A date or time (UTC unless it says otherwise), or how long ago: 30m, 12h, 2d, 3w. Raises BadConfig."""
    try:
        if ago := re.fullmatch(r"(\d+)([mhdw])", text):
            return (now or datetime.now(UTC)) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        told = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise BadConfig(
            f"{text!r} is no time",
            where="--since",
            mend="Such as 30m, 12h, 2d, 3w, 2026-11-20 or 2026-11-20T08:00 (UTC)",
        ) from None
    return told if told.tzinfo else told.replace(tzinfo=UTC)


def _names(run: RunRow) -> set[str]:
    methods = run.config["methods"]
    return {method["name"] for method in methods} | {method["label"] for method in methods if method.get("label")}
