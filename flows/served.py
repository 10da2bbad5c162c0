"""Weak pairs on servers: scorers are handed the way to them, as scoring imports no provider."""

from __future__ import annotations

from contextlib import ExitStack

from providers import open_likelihoods
from scoring import Likelihoods, ServedSettings


class Servers(ExitStack):
    """Called by scorers for the servers that their settings name; leaving it cuts off what is under way, and closes."""

    def __call__(self, served: ServedSettings) -> Likelihoods:
        """Raises CallFailed where there is no key."""
        opened = open_likelihoods(
            served.api_base, api_key_env=served.api_key_env, concurrency=served.concurrency, timeout=served.timeout
        )
        self.callback(opened.close)
        return opened
