"""What can go wrong in `scoring`, told so that it can be mended."""

from __future__ import annotations


class ScoringError(Exception):
    """Root of this package's errors.

    `what` happened, to which model or text (`where`), what to do next (`mend`), and the exit status the
    command ends with: 2 for the user's mistakes, 1 for the world's.
    """

    exit_status = 1

    def __init__(self, what: str, *, where: str = "", mend: str = "") -> None:
        self.what, self.where, self.mend = what, where, mend
        head = f"{where}: {what}" if where else what
        super().__init__(f"{head}. {mend}" if mend else head)


class WeakModelMissing(ScoringError):
    """A weak model or an adapter that is not where the settings say, or cannot be loaded."""

    exit_status = 2


class BadValue(ScoringError):
    """A value of the user's own that cannot be had: no such function or label, or what it gives is no number."""

    exit_status = 2


class PairDisagrees(ScoringError):
    """Two models that make no pair: other tokens, ids without logits, or another end of a text."""

    exit_status = 2


class BadPreferences(ScoringError):
    """Preferences or samples that cannot be used: not UTF-8, not JSON, a field missing, equal, empty or too long."""

    exit_status = 2


class AveragingFailed(ScoringError):
    """Adapters that have no mean, or a folder that it cannot be written to."""

    exit_status = 2


class TuningFailed(ScoringError):
    """Tuning that cannot begin or go on: another tuning's folder, no extra `tune`."""

    exit_status = 2


def first_line(error: Exception) -> str:
    """What a library's error says first; its type where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
