"""Which record is worked with, and opening it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from store import Record
from store.settings import DEFAULT_URL, ENVIRONMENT


def record_of(record: str | None) -> str:
    """The record's URL: as given, else from the environment, else ./aligntree.db."""
    return record or os.environ.get(ENVIRONMENT) or DEFAULT_URL


@contextmanager
def open_record(record: str | None = None, *, create: bool = False) -> Iterator[Record]:
    """The record by `record_of`, closed afterwards; raises RecordUnusable."""
    opened = Record.open(record_of(record), create=create)
    try:
        yield opened
    finally:
        opened.close()
