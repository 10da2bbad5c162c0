"""What can go wrong in `providers`, told so that it can be mended. No message ever holds a key."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from typing import Any


class ProviderError(Exception):
    """Root of this package's errors.

    `what` happened, to which model or endpoint (`where`), what to do next (`mend`), and the exit status the command
    ends with: 2 for the user's mistakes, 1 for the world's.
    """

    exit_status = 1

    def __init__(self, what: str, *, where: str = "", mend: str = "") -> None:
        self.what, self.where, self.mend = what, where, mend
        head = f"{where}: {what}" if where else what
        super().__init__(f"{head}. {mend}" if mend else head)


class StrongModelMisconfigured(ProviderError):
    """Settings under which no call can succeed: unknown model, wrong key, a mode the model does not offer."""

    exit_status = 2


class StrongModelUnreachable(ProviderError):
    """Nothing answers at the endpoint."""


class Blame(StrEnum):
    """Whose doing a failed call is, which decides what follows it."""

    WEATHER = "weather"  # rate limit, timeout, connection, overload: worth another try
    REQUEST = "request"  # this text cannot be continued (content policy, context too long): told to the method
    SETTINGS = "settings"  # key, permission, model name: every call would fail; the run stops
    ENDPOINT = "endpoint"  # it has been down for too long: nothing was sent; the run stops


STOPS_THE_RUN = frozenset({Blame.SETTINGS, Blame.ENDPOINT})


class CallFailed(ProviderError):
    """One HTTP request that brought no usable continuation.

    `status` is the HTTP status, None when there was no response; `body` what came back, redacted; `retry_after` the
    seconds the server asks us to wait. `billed` is False only where nothing can have been charged.
    """

    def __init__(
        self,
        what: str,
        *,
        where: str,
        blame: Blame,
        billed: bool,
        status: int | None = None,
        body: bytes = b"",
        retry_after: float | None = None,
        mend: str = "",
    ) -> None:
        super().__init__(what, where=where, mend=mend)
        self.blame, self.billed, self.status, self.body, self.retry_after = blame, billed, status, body, retry_after
        self.exit_status = 2 if blame is Blame.SETTINGS else 1

    def __reduce__(self) -> tuple[Any, ...]:
        """Errors go from one process of a cluster to another; this one is not made of its message alone."""
        again = partial(type(self), self.what, where=self.where, blame=self.blame, billed=self.billed, mend=self.mend)
        return again, (), self.__dict__
