"""A value that a user's own Python function gives."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from scoring.base import Candidate, Score
from scoring.errors import BadValue, first_line
from scoring.values import FunctionValue


class FunctionScorer:
    """Calls the function with all candidates of a batch; a number for each is expected."""

    name = "function"
    scale = "the function's own"

    def __init__(self, settings: FunctionValue) -> None:
        self._call: Callable[[Sequence[Candidate]], Sequence[float]] = _found(settings.call)
        self._where = f"function {settings.call}"
        self.traits: Mapping[str, str] = {"call": settings.call}

    def score(self, candidates: Sequence[Candidate]) -> list[Score]:
        """Raises BadValue where the function fails, or gives anything but as many finite numbers."""
        try:
            values = [float(value) for value in self._call(candidates)]
        except Exception as error:
            raise BadValue(f"failed: {type(error).__name__}: {first_line(error)}", where=self._where) from error
        if len(values) != len(candidates):
            raise BadValue(f"gave {len(values)} numbers for {len(candidates)} candidates", where=self._where)
        if odd := [value for value in values if not math.isfinite(value)]:
            raise BadValue(f"gave {odd[0]}, which is no number", where=self._where)
        return [Score(value) for value in values]


def _found(name: str) -> Any:
    module, _, function = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), function)
    except Exception as error:  # importing runs the user's own code
        raise BadValue(
            f"cannot be found: {first_line(error)}",
            where=f"function {name}",
            mend="Install its package, or set PYTHONPATH",
        ) from error
    if not callable(found):
        raise BadValue("is no function", where=f"function {name}", mend="Name one that takes a list of candidates")
    return found
