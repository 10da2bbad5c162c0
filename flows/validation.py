"""Settings validated: what does not hold is told with its place, its field, its value and the mend."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from flows.errors import BadConfig
from flows.recipe import Field, Recipe, dotted

Settings = TypeVar("Settings", bound=BaseModel)
_CREDENTIALS = re.compile(r"://[^/@\s]*@|(?<=\?)[^\s']+")
_MOST_TOLD = 4


def validated(kind: type[Settings], recipe: Recipe) -> Settings:
    """Raises BadConfig with the first few problems, each with its place."""
    try:
        return kind.model_validate(recipe.data)
    except ValidationError as error:
        all_told = error.errors(include_url=False)
        within = {problem["loc"][:end] for problem in all_told for end in range(len(problem["loc"]))}
        problems = [problem for problem in all_told if problem["loc"] not in within]  # what only follows from others
    by_place: dict[str, list[str]] = {}
    for problem in problems[:_MOST_TOLD]:
        place, told = _told(kind, recipe, problem)
        by_place.setdefault(place, []).append(told)
    told = "; ".join(f"{place}: {'; '.join(about)}" for place, about in by_place.items())
    if len(problems) > _MOST_TOLD:
        told += f"; and {len(problems) - _MOST_TOLD} more"
    raise BadConfig(told, mend="docs/settings.md lists every setting") from None


def _told(kind: type[BaseModel], recipe: Recipe, problem: ErrorDetails) -> tuple[str, str]:
    """The place of a problem, and what it is."""
    path = _path(problem, recipe.data)
    name, message = dotted(path), problem["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    # What stands under a key that we do not know, or for a key's variable, may be a secret.
    if problem["type"] == "extra_forbidden":
        near = get_close_matches(str(path[-1]), _known(kind, path[:-1], recipe.data), 1)
        return recipe.place(path), f"{name}: no such setting" + (f"; did you mean {near[0]}?" if near else "")
    if not path:  # of more than one field: the message names them
        said = re.match(r"[a-z_]+(\.\w+)*", message)
        return recipe.place(_found(said.group().split("."), recipe.data) if said else ()), message
    if name.endswith("api_key_env"):
        return recipe.place(path), f"{name}: not the name of an environment variable"
    given = problem["input"]
    shown = "" if problem["type"] == "missing" or isinstance(given, Mapping | list) else f" = {_short(given)}"
    return recipe.place(path), f"{name}{shown}: {message}"


def _path(problem: ErrorDetails, data: Any) -> Field:
    """The field that a problem is of, without the names of alternatives that pydantic puts in between."""
    missing, path = problem["type"] in ("missing", "extra_forbidden"), list[Any]()
    for number, step in enumerate(problem["loc"], 1):
        there = (isinstance(data, Mapping) and step in data) or (
            isinstance(data, list | tuple) and isinstance(step, int)
        )
        if there:
            data = data[step]
        if there or (missing and number == len(problem["loc"])):
            path.append(step)
    return tuple(path)


def _found(steps: list[str], data: Any) -> Field:
    """As far as the path leads."""
    path = list[Any]()
    for step in steps:
        at: Any = int(step) if isinstance(data, list) and step.isdecimal() else step
        if not (isinstance(data, Mapping) and at in data) and not (isinstance(data, list) and at in range(len(data))):
            break
        path.append(at)
        data = data[at]
    return tuple(path)


def _known(kind: type[BaseModel], path: Field, data: Any) -> list[str]:
    """What the settings at a path are called, by the kind of method or value that is given there."""
    kinds = [kind]
    for step in path:
        data = data[step]
        if not isinstance(step, int):
            fields = (one.model_fields[step] for one in kinds if step in one.model_fields)
            kinds = [model for field in fields for model in _models(field.annotation)]
    return [name for one in kinds if _fits(one, data) for name in one.model_fields]


def _fits(model: type[BaseModel], data: Any) -> bool:
    """Whether what tells alternatives apart says that this is meant."""
    literals = {
        name: get_args(field.annotation)
        for name, field in model.model_fields.items()
        if get_origin(field.annotation) is Literal and name in data
    }
    return all(data[name] in allowed for name, allowed in literals.items())


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models among what a field may be."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for one in get_args(annotation):
        yield from _models(one)


def _short(value: Any) -> str:
    text = _CREDENTIALS.sub("://[...]", repr(value))
    return text if len(text) <= 60 else f"{text[:57]}..."
