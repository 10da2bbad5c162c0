"""When a request may be sent, by the limits per minute that the user gave, which all workers of a record share."""

from __future__ import annotations

import asyncio

from providers import ConnectionSettings
from store import Cost, Record, fingerprint


class Pace:
    """Delays sending, never asking: the tree does not depend on it."""

    def __init__(self, record: Record, model: ConnectionSettings) -> None:
        self._record = record
        self._endpoint = fingerprint([model.model, model.api_base])
        limits = {"requests": model.requests_per_minute, "tokens": model.tokens_per_minute}
        self._limits = {unit: limit for unit, limit in limits.items() if limit is not None}

    @property
    def is_limited(self) -> bool:
        """A request may have to wait."""
        return bool(self._limits)

    async def wait(self, worst: Cost) -> None:
        """Until a request that may take so much can be sent; it is booked then."""
        if self._limits:
            await asyncio.sleep(await self._book({"requests": worst.requests, "tokens": worst.tokens}))

    async def took(self, worst: Cost, tokens: int) -> None:
        """What a request really took: the rest is for others."""
        if "tokens" in self._limits and tokens != worst.tokens:
            await self._book({"tokens": tokens - worst.tokens})

    async def _book(self, amounts: dict[str, int]) -> float:
        return await self._record.book(
            self._endpoint, {unit: (amounts[unit], limit) for unit, limit in self._limits.items() if unit in amounts}
        )
