"""What can go wrong in `store`, told so that it can be mended."""

from __future__ import annotations


class StoreError(Exception):
    """Root of this package's errors.

    `what` happened, to which record, run or search (`where`), what to do next (`mend`), and the exit status the
    command ends with: 2 for the user's mistakes, 1 for the world's.
    """

    exit_status = 1

    def __init__(self, what: str, *, where: str = "", mend: str = "") -> None:
        self.what, self.where, self.mend = what, where, mend
        head = f"{where}: {what}" if where else what
        super().__init__(f"{head}. {mend}" if mend else head)


class RecordUnusable(StoreError):
    """The record's URL, its database or its schema does not serve: unreachable, not ours, or of another version."""

    exit_status = 2


class RecordFailed(StoreError):
    """The database refused or lost a transaction: gone, full, locked."""


class NotOnRecord(StoreError):
    """A run, search or node that the record does not hold, or a shortened id that means several."""

    exit_status = 2


class BadDump(StoreError):
    """Rows that are no dump of a run, or that are not as they were written."""

    exit_status = 2


class LeaseLost(StoreError):
    """Another worker holds this search; what this one still wanted to write was refused."""


class OutOfBudget(StoreError):
    """The worst case of the next request does not fit what is left of a budget; nothing was sent."""
