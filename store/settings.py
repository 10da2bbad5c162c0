"""Where the record is."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from store.errors import RecordUnusable

DEFAULT_URL = "sqlite:///aligntree.db"
ENVIRONMENT = "ALIGNTREE_RECORD"
"""The environment variable that names the record where no option does."""


def record_url(text: str) -> URL:
    """A checked database URL, the driver named; a bare path means SQLite. Raises RecordUnusable."""
    try:
        url = make_url(text if "://" in text else f"sqlite:///{Path(text)}")
    except (ArgumentError, ValueError):
        raise _unknown(text) from None
    match url.get_backend_name():
        case "sqlite" if url.database and url.database != ":memory:":  # a record outlives its process
            return url
        case "postgresql":
            return url.set(drivername="postgresql+psycopg")
    raise _unknown(text)


def shown(url: URL) -> str:
    """The URL without password and query, as it may be printed."""
    return url.set(query={}).render_as_string(hide_password=True)


def _unknown(text: str) -> RecordUnusable:
    return RecordUnusable(
        "not a record this version can keep",
        where=f"record of kind {text.partition(':')[0]!r}",
        mend="Use sqlite:///PATH or postgresql://HOST/DATABASE",
    )
