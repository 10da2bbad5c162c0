"""What a strong model's endpoint does, looked at anew, before a run relies on it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from flows.config import RunConfig
from flows.probing import finding_of, warnings_of
from flows.records import open_record
from providers import open_strong_model
from scoring import model_dir
from store import new_run_id


@dataclass(frozen=True)
class Examination:
    """What the probe saw (`finding`), USD per token where the price is known, and what to beware of."""

    model: str
    finding: Mapping[str, Any]
    price: Mapping[str, str] | None
    retires: str | None
    warnings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def lines(self) -> Iterator[tuple[str, str]]:
        """What was looked at, and what was seen."""
        found = self.finding
        yield "mode", found["mode"]
        for case, seen in found["cases"].items():
            yield f"continued: {case}", seen
        if found["cases"]:
            yield "the answer so far", "comes again, and is cut off" if found["repeats"] else "does not come again"
        yield "choices in one request", str(found["choices"])
        yield "likeliest tokens told", str(found["logprobs"] or "none: priors are counts, entropy the weak model's")
        yield "seed", {True: "heeded", False: "not heeded", None: "none is taken"}[found["seed"]]
        yield "a request took", f"{found['latency']:.2f} s"
        yield "the probe took", f"{found['usage']['input']} input tokens, {found['usage']['output']} output tokens"
        if self.price is None:
            yield "price", "not known; set strong.input_price and strong.output_price to budget in USD"
        else:
            given, taken = ((Decimal(self.price[side]) * 1_000_000).normalize() for side in ("input", "output"))
            yield "price", f"{given:f} USD per million input tokens, {taken:f} output"
        yield "retired on", self.retires or "no date is known"


async def examine(config: RunConfig, record: str | None = None) -> Examination:
    """Probe the strong model of `config`, on record and within its budget. Raises ProviderError, OutOfBudget."""
    plain = config.strong.model_copy(update={"eft": None})  # which takes the weak pair
    strong = await asyncio.to_thread(open_strong_model, plain, model_dir)
    try:
        with open_record(record, create=True) as opened:
            found = await finding_of(opened, new_run_id(), config, strong, fresh=True)
    finally:
        await strong.close()
    warnings = warnings_of(config, strong, datetime.now(UTC).date())
    price = strong.price.to_json() if strong.price else None
    retires = strong.retires.isoformat() if strong.retires else None
    return Examination(strong.name, found, price, retires, tuple(warnings))
