"""docs/settings.md, made from the models themselves: `make docs` writes it, a test checks that it is current."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from flows.config import RunConfig
from flows.methods import AlignTreeConfig, BaseConfig, BeamConfig, BestOfNConfig, RefineConfig, WSDConfig
from flows.methods.base import MethodSettings
from flows.preferences import PreferenceSettings
from scoring import TuneSettings, WeakSettings
from scoring.values import CoherenceValue, CuriosityValue, FunctionValue, PairValue, RewardValue

PAGE = Path(__file__).parent.parent / "docs" / "settings.md"

_HEAD = """# Settings

A recipe is a YAML file with these keys; what it leaves out has the default. On the command line `--set KEY=VALUE` sets
one, such as `--set sampling.max_tokens=128` or `--set methods.1.limits.iterations=64` (numbers count a list from 0).
Unknown keys are refused. Keys to APIs are never settings: `strong.api_key_env` names the environment variable.

This page is made from the code by `make docs`.
"""


def page() -> str:
    parts = [
        _HEAD,
        _table(_flat("", RunConfig)),
        "## methods\n\nA list; each entry has a `name` and the settings of that method. Every method has these:\n",
        _table(_flat("", MethodSettings)),
    ]
    for method in (BaseConfig, BestOfNConfig, RefineConfig, BeamConfig, AlignTreeConfig, WSDConfig):
        name = method.model_fields["name"].default
        parts.append(f"### {name}\n\n{_told(method)}\n")
        if own := [row for row in _flat("", method) if row not in _flat("", MethodSettings)]:
            parts.append(_table(own))
    parts.append("## values\n\nA list, empty by default; each entry has a `kind`.\n")
    for value in (PairValue, CuriosityValue, CoherenceValue, RewardValue, FunctionValue):
        own = [row for row in _flat("", value) if value is not PairValue or row not in _flat("", WeakSettings)]
        more = " Besides these, all settings of `weak`." if value is PairValue else ""
        parts += [f"### {value.model_fields['kind'].default}\n\n{_told(value)}{more}\n", _table(own)]
    for verb, model in (("preferences", PreferenceSettings), ("tune", TuneSettings)):
        told = f"{_told(model)} Set by `aligntree {verb} --set KEY=VALUE`, as `weak.` keys are."
        parts += [f"## aligntree {verb}\n\n{told}\n", _table(_flat("", model))]
    return "\n".join(parts)


def _told(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").split())


def _table(rows: list[str]) -> str:
    return "\n".join(["| setting | default | what |", "|---|---|---|", *rows]) + "\n"


def _flat(prefix: str, model: type[BaseModel], given: BaseModel | None = None) -> list[str]:
    """One row for each setting, those of models within it under their whole names; defaults as `given` has them."""
    rows = []
    for name, field in model.model_fields.items():
        default = getattr(given, name) if given else field.get_default(call_default_factory=True)
        nested = [t for t in _kinds(field.annotation) if _is_model(t)]
        if nested and isinstance(default, int):  # a number, or several settings in its place
            rows += [f"| `{prefix}{name}` | {_default(default)} | {field.description} |"]
            rows += _flat(f"{prefix}{name}.", nested[0])
        elif nested:
            rows += _flat(f"{prefix}{name}.", nested[0], default)
            if len(get_args(field.annotation)) > 1:  # it may be none as a whole
                rows.append(f"| `{prefix}{name}` | as above | {field.description} |")
        elif field.description is not None:
            one_of = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
            told = f" One of {', '.join(one_of)}." if len(one_of) > 1 else ""
            rows.append(f"| `{prefix}{name}` | {_default(default)} | {field.description}{told} |")
    return rows


def _kinds(annotation: Any) -> list[Any]:
    """What a setting may be."""
    return [annotation, *(kind for one in get_args(annotation) for kind in (one, *get_args(one)))]


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _default(value: Any) -> str:
    if value is None:
        return "none"
    if value is PydanticUndefined:
        return "to be given"
    if isinstance(value, tuple):
        return ", ".join(getattr(v, "name", str(v)) for v in value) or "empty"
    if isinstance(value, str) and "\n" in value:
        return f"`{value.splitlines()[0]} ...`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"
