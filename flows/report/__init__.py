"""A run as one page that needs nothing else: `write_report`."""

from __future__ import annotations

from flows.report.page import write_report

__all__ = ["write_report"]
