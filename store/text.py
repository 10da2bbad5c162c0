"""Column types that bring any Python text through any database, and JSON that both backends keep equal.

Postgres accepts neither NUL nor lone surrogates. Each such character, and the escape character U+001A itself, is
written as U+001A followed by four hexadecimal digits. JSON is kept as the text it was: JSONB would rewrite numbers
(1e300 comes back as an integer of 301 digits), and a hash over them would not hold.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from sqlalchemy import JSON, Dialect, Text
from sqlalchemy.types import TypeDecorator

_UNSAFE = re.compile("[\x00\x1a\ud800-\udfff]")
_ESCAPED = re.compile("\x1a([0-9a-f]{4})")
_PERHAPS_UNSAFE = re.compile(r"\\u(?:00(?:00|1a)|d[89a-f])")  # in JSON, which is of ASCII alone


def escape(text: str) -> str:
    """Text that any backend stores; `unescape` is its inverse."""
    return _UNSAFE.sub(lambda m: f"\x1a{ord(m[0]):04x}", text)


def unescape(text: str) -> str:
    return _ESCAPED.sub(lambda m: chr(int(m[1], 16)), text) if "\x1a" in text else text


def through(value: Any, change: Callable[[str], str]) -> Any:
    """JSON with all its text changed. A search reads much of it: numbers are passed by."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change(k): v if type(v) in _NUMBERS else through(v, change) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [v if type(v) in _NUMBERS else through(v, change) for v in value]
    return value


_NUMBERS = frozenset({int, float, bool, type(None)})


def read_json(text: str | bytes) -> Any:
    """What was written. Postgres' driver gives bytes."""
    text = text.decode() if isinstance(text, bytes) else text
    value = json.loads(text)
    return through(value, unescape) if "\\u001a" in text else value


def _json(value: Any) -> str | None:
    """Most holds nothing to be escaped, which its JSON tells sooner than all its texts would."""
    if value is None:
        return None
    text = json.dumps(value)
    return json.dumps(through(value, escape)) if _PERHAPS_UNSAFE.search(text) else text


class SafeText(TypeDecorator[str]):
    """Text of any characters."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else escape(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else unescape(value)


class SafeJSON(TypeDecorator[Any]):
    """JSON with text of any characters; None is NULL. An engine reads it by `read_json`, its deserializer."""

    impl = JSON(none_as_null=True)
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], str | None]:
        return _json
