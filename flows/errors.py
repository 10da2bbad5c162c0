"""What can go wrong in `flows`, told so that it can be mended."""

from __future__ import annotations


class FlowError(Exception):
    """Root of this package's errors.

    `what` happened, where (setting, file, run or search), what to do next (`mend`), and the exit status the command
    ends with: 2 for the user's mistakes, 1 for the world's.
    """

    exit_status = 1

    def __init__(self, what: str, *, where: str = "", mend: str = "") -> None:
        self.what, self.where, self.mend = what, where, mend
        head = f"{where}: {what}" if where else what
        super().__init__(f"{head}. {mend}" if mend else head)


class BadConfig(FlowError):
    """A recipe or a setting that does not hold: unknown key, value out of range, no such recipe."""

    exit_status = 2


class BadPrompts(FlowError):
    """No prompts, an empty one, or a file that cannot be read as prompts."""

    exit_status = 2


class CannotResume(FlowError):
    """A run that this version cannot go on with."""

    exit_status = 2


class OtherVersion(CannotResume):
    """A search that another version of its method began."""


class RecordMismatch(FlowError):
    """Replaying the record asks for something else than the record holds: it was changed, or the method was."""


class RunInterrupted(FlowError):
    """Some searches could not be finished; the record holds all that was paid for."""
