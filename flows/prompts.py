"""Reading prompts: from arguments, a text file (one a line), JSONL ({"prompt": ...} a line) or standard input."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from flows.errors import BadPrompts
from flows.plan import check_prompts


def read_prompts(arguments: Sequence[str], file: str | None) -> list[str]:
    """All prompts in order; `-` as file is standard input. Raises BadPrompts naming file and line."""
    prompts = [*arguments, *(_from_file(file) if file else ())]
    check_prompts(prompts)
    return prompts


def _from_file(file: str) -> list[str]:
    try:
        text = sys.stdin.read() if file == "-" else _path(file).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadPrompts(
            f"is not UTF-8: {error.reason} at byte {error.start}", where=file, mend="Save it as UTF-8"
        ) from error
    except OSError as error:
        raise BadPrompts(f"cannot be read: {error.strerror}", where=file, mend="Check the path") from error
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if Path(file).suffix == ".jsonl" or (lines and all(line.lstrip().startswith('{"') for _, line in lines)):
        return [_from_json(line, f"{file}, line {number}") for number, line in lines]
    return [line.rstrip("\r") for _, line in lines]


def _path(file: str) -> Traversable:
    """A file, or built-in prompts by name (held_out, sentiment, story, story_held_out)."""
    built_in = files("flows") / "data" / f"{file}.txt"
    path = Path(file)
    return built_in if built_in.is_file() and not path.is_file() else path


def _from_json(line: str, where: str) -> str:
    try:
        prompt = json.loads(line)["prompt"]
    except (ValueError, KeyError, TypeError) as error:
        raise BadPrompts(f"has no prompt ({line[:60]!r})", where=where, mend='Write {"prompt": "..."}') from error
    if not isinstance(prompt, str) or not prompt.strip():
        raise BadPrompts(f"its prompt is {prompt!r}", where=where, mend="Give some text to continue")
    return prompt
