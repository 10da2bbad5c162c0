"""Pure policies that the driver follows, so that each HTTP request has an intent of its own on record."""

from __future__ import annotations

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_before_delay, wait_exponential_jitter

from providers.errors import Blame, CallFailed

_BACK_OFF = wait_exponential_jitter(multiplier=0.5, max=20.0, jitter=1.0)


def split(n: int, most: int) -> list[int]:
    """Sizes of the requests that together ask for `n` choices, none for more than `most`."""
    return [most] * (n // most) + ([n % most] if n % most else [])


def retrying(seconds: float, *, answered: bool = False) -> AsyncRetrying:
    """The one retry policy: transient failures only, Retry-After honoured, back-off with jitter, bounded in time.

    Iterate over it; each attempt is one request. The last failure is raised as it was. `answered`: only where the
    endpoint said something, if only that it is busy.
    """

    def passing(error: BaseException) -> bool:
        if not isinstance(error, CallFailed) or error.blame is not Blame.WEATHER:
            return False
        return error.status is not None or not answered

    return AsyncRetrying(
        retry=retry_if_exception(passing),
        wait=_wait,
        stop=stop_before_delay(seconds),
        reraise=True,
    )


def _wait(state: RetryCallState) -> float:
    failed = state.outcome.exception() if state.outcome else None
    asked = failed.retry_after if isinstance(failed, CallFailed) else None
    return max(asked or 0.0, _BACK_OFF(state))
