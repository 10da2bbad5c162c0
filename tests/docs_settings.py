"""docs/settings.md, made from the models themselves: `make docs` writes it, a test checks that it is current."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from flows.config import RunConfig
from flows.methods import AlignTreeConfig, BaseConfig, BeamConfig, BestOfNConfig
from flows.preferences import PreferenceSettings
from scoring import TuneSettings

PAGE = Path(__file__).parent.parent / "docs" / "settings.md"

_HEAD = """# Settings

A recipe is a YAML file with these keys; what it leaves out has the default. On the command line `--set KEY=VALUE` sets
one, such as `--set sampling.max_tokens=128` or `--set methods.1.iterations=64` (numbers count a list from 0).
Unknown keys are refused. Keys to APIs are never settings: `strong.api_key_env` names the environment variable.

This page is made from the code by `make docs`.
"""


def page() -> str:
    parts = [
        _HEAD,
        _table("", RunConfig),
        "## methods\n\nA list; each entry has a `name` and the settings of that method.\n",
    ]
    for method in (BaseConfig, BestOfNConfig, BeamConfig, AlignTreeConfig):
        name = method.model_fields["name"].default
        parts.append(f"### {name}\n\n{(method.__doc__ or '').strip()}\n")
        if len(method.model_fields) > 1:
            parts.append(_table("", method))
    for verb, model in (("preferences", PreferenceSettings), ("tune", TuneSettings)):
        told = f"{(model.__doc__ or '').strip()} Set by `aligntree {verb} --set KEY=VALUE`, as `weak.` keys are."
        parts += [f"## aligntree {verb}\n\n{told}\n", _table("", model)]
    return "\n".join(parts)


def _table(prefix: str, model: type[BaseModel]) -> str:
    rows = ["| setting | default | what |", "|---|---|---|"]
    rows += [row for name, field in model.model_fields.items() for row in _rows(f"{prefix}{name}", field)]
    return "\n".join(rows) + "\n"


def _rows(name: str, field: FieldInfo) -> list[str]:
    nested = field.annotation
    if isinstance(nested, type) and issubclass(nested, BaseModel):
        return [row for inner, f in nested.model_fields.items() for row in _rows(f"{name}.{inner}", f)]
    if name == "name" and field.description is None:
        return []
    return [f"| `{name}` | {_default(field.get_default(call_default_factory=True))} | {field.description} |"]


def _default(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, tuple):
        return ", ".join(getattr(v, "name", str(v)) for v in value) or "empty"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
