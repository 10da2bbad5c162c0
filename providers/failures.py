"""What a request that brought nothing usable was: whose doing, whether billed, when to try again; without keys."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime

import httpx
import openai

from providers.errors import Blame, CallFailed
from providers.wire import Malformed

_WEATHER = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_SETTINGS = frozenset({401, 403, 404})


def failure(
    error: Exception,
    response: httpx.Response | None,
    redacted: Callable[[bytes], bytes],
    *,
    where: str,
    mend: str,
    role: str = "strong",
) -> CallFailed:
    """Of a request to `where`; bodies come out `redacted`. `mend`: what to do where settings, those of `role`, are at
    fault.
    """
    if response is None and isinstance(error, openai.BadRequestError):
        return _not_sent(error, redacted, where, role)
    if response is None:
        refused = any(isinstance(e, httpx.ConnectError | httpx.ConnectTimeout) for e in _chain(error))
        what = "connection refused" if refused else f"no reply ({type(error).__name__})"
        return CallFailed(what, where=where, blame=Blame.WEATHER, billed=not refused)
    status, body = response.status_code, redacted(response.content)
    if status < 400:
        what = str(error) if isinstance(error, Malformed) else f"unreadable reply ({type(error).__name__})"
        return CallFailed(what, where=where, blame=Blame.WEATHER, billed=True, status=status, body=body)
    blame = Blame.REQUEST
    if status in _SETTINGS:
        blame = Blame.SETTINGS
    elif status in _WEATHER or status >= 500:
        blame = Blame.WEATHER
    return CallFailed(
        f"HTTP {status}: {body[:300].decode('utf-8', 'replace')}",
        where=where,
        blame=blame,
        billed=status >= 500,
        status=status,
        body=body,
        retry_after=_retry_after(response),
        mend=mend if blame is Blame.SETTINGS else "",
    )


def _not_sent(error: openai.BadRequestError, redacted: Callable[[bytes], bytes], where: str, role: str) -> CallFailed:
    """LiteLLM's own table of a model says that it does not take a parameter."""
    told = redacted(str(error).partition(". To drop")[0].encode()).decode()
    mend = f"Set {role}.endpoint.logprobs=0 if it is these, else choose another model"
    return CallFailed(f"not sent: {told}", where=where, blame=Blame.SETTINGS, billed=False, mend=mend)


def _retry_after(response: httpx.Response) -> float | None:
    told = response.headers.get("retry-after")
    if told is None:
        return None
    try:
        return max(0.0, float(told))
    except ValueError:
        try:
            return max(0.0, parsedate_to_datetime(told).timestamp() - time.time())
        except ValueError:
            return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
