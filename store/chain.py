"""Canonical content and the hash chain: one per search, each row's hash over its content and the hash before it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any


def canonical(value: Any) -> str:
    """The one JSON text of a value: keys sorted, no white space, bytes by their sha256."""
    return _ENCODER.encode(value)


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def fingerprint(value: Any) -> str:
    """sha256 of a value's canonical JSON."""
    return sha256(canonical(value))


def link(before: str, table: str, row: Mapping[str, Any]) -> str:
    """The hash of an immutable row: over the hash before it, its table and its columns but `hash` itself."""
    content = {name: value for name, value in row.items() if name != "hash"}
    return fingerprint([before, table, content])


def run_hash(row: Mapping[str, Any], keys: Sequence[str]) -> str:
    """The hash of a run's immutable columns and of the searches that it began with, in order: their `keys`."""
    return link("", "runs", {name: value for name, value in row.items() if name != "heads"} | {"searches": list(keys)})


def _plain(value: Any) -> Any:
    """What JSON does not know."""
    match value:
        case bytes():
            return {"sha256": hashlib.sha256(value).hexdigest()}
        case Mapping():
            return dict(value)
    raise TypeError(f"{type(value).__name__} has no canonical form")


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False, default=_plain)
