"""Search over a strong model's own continuations, guided by a weak pair; every step on record.

from flows import align, load_config
summary = await align(["The movie was"], load_config("sentiment"))
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from flows.errors import FlowError
from flows.surroundings import no_calls_home

if TYPE_CHECKING:
    from flows.config import RunConfig, load_config
    from flows.flow import align_flow
    from flows.run import Answer, Summary, align, resume
    from flows.scheduled import align_new

_LAZY = {
    "Answer": "run",
    "RunConfig": "config",
    "Summary": "run",
    "align": "run",
    "align_flow": "flow",
    "align_new": "scheduled",
    "load_config": "config",
    "resume": "run",
}

__all__ = ["Answer", "FlowError", "RunConfig", "Summary", "align", "align_flow", "align_new", "load_config", "resume"]

no_calls_home()

if not TYPE_CHECKING:  # which would take any name for one of these

    def __getattr__(name: str) -> Any:
        """What a name needs is imported when it is first used: Prefect, SQLAlchemy and pydantic take their time."""
        if name in _LAZY:
            return getattr(import_module(f"flows.{_LAZY[name]}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
