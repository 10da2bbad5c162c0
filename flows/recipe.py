"""A recipe's YAML as data, and where each field of it was written: a line of the file, or an option of the command."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from flows.errors import BadConfig

_RECIPES = files("flows") / "recipes"
_PLAIN = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")

Field = tuple[Any, ...]
"""A field's path: keys, and numbers in lists."""


@dataclass
class Recipe:
    """Settings as they were given, not validated yet."""

    source: str
    data: dict[str, Any] = field(default_factory=dict)
    places: dict[Field, str] = field(default_factory=dict)
    """Where fields were written, as errors name it."""

    def place(self, path: Field) -> str:
        """Where to look for what is amiss with a field: at itself, or at what was set of it over the file; of one that
        is not there, at what is around it.
        """
        for end in range(len(path), 0, -1):
            head = path[:end]
            below = [where for at, where in self.places.items() if at[:end] == head]
            options = [where for where in below if where.startswith("--")]
            if head in self.places and (end < len(path) or not options):
                return self.places[head]
            if below:
                return options[-1] if options else below[0]
        return self.source

    def keep(self, method: str) -> None:
        """That method alone, as the recipe sets it, else with its defaults."""
        given = self.data.get("methods")
        mine = [
            number
            for number, entry in enumerate(given if isinstance(given, list) else ())
            if isinstance(entry, dict) and entry.get("name") == method
        ]
        places = {at: where for at, where in self.places.items() if at[:1] != ("methods",)}
        for new, old in enumerate(mine):
            kept = {at: where for at, where in self.places.items() if at[:2] == ("methods", old)}
            places |= {("methods", new, *at[2:]): where for at, where in kept.items()}
        self.places = places if mine else {**places, ("methods",): f"--method {method}"}
        self.data["methods"] = [given[number] for number in mine] if given and mine else [{"name": method}]

    def set(self, settings: Sequence[str]) -> None:
        """Single settings over it, `a.b=value` each. Raises BadConfig."""
        for setting in settings:
            key, equals, text = setting.partition("=")
            if not equals or not key:
                raise BadConfig(
                    f"{setting!r} is not KEY=VALUE", where="--set", mend="Such as --set sampling.max_tokens=128"
                )
            path = tuple(key.split("."))
            try:
                at = _put(self.data, path, _value(text))
            except (AttributeError, LookupError, TypeError, ValueError) as error:
                raise BadConfig(
                    f"cannot be set: {error}", where=f"--set {setting}", mend="Check the key's path"
                ) from error
            kept = {other: where for other, where in self.places.items() if other[: len(at)] != at}
            self.places = {**kept, at: f"--set {key}"}  # not its value, which may be a secret


def read_recipe(name: str) -> Recipe:
    """A built-in recipe or a file. Raises BadConfig, naming the line."""
    source = name if _is_file(name) else f"recipe {name}"
    return parse_recipe(recipe_text(name), source)


def parse_recipe(text: str, source: str) -> Recipe:
    """YAML's mapping of settings. Raises BadConfig, naming the line: no YAML, a key that is given twice."""
    try:
        loader = yaml.SafeLoader(text)
        top, reader = loader.get_single_node(), _Reader(loader, source)
        data = {} if top is None else reader.read(top, ())
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise _not_yaml(f"{source}:{line}", f"it holds the character {error.character:#x}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _not_yaml(f"{source}:{mark.line + 1}" if mark else source, error.problem or "") from None
    if not isinstance(data, dict | None):
        raise BadConfig("holds no settings", where=source, mend="Write KEY: VALUE lines")
    return Recipe(source, data or {}, reader.places)


class _Reader:
    """Makes data of YAML's nodes, which know their lines."""

    def __init__(self, loader: yaml.SafeLoader, source: str) -> None:
        self._loader, self._source = loader, source
        self.places: dict[Field, str] = {}
        self._checked = set[int]()  # mappings, which anchors may bring back
        self._around: list[yaml.Node] = []

    def read(self, node: yaml.Node, path: Field) -> Any:
        """Raises BadConfig."""
        if node in self._around:
            raise _not_yaml(self._at(node), "it holds itself")
        self._around.append(node)
        try:
            if isinstance(node, yaml.MappingNode) and node.tag == _PLAIN[0]:
                return self._mapping(node, path)
            if isinstance(node, yaml.SequenceNode) and node.tag == _PLAIN[1]:
                self.places |= {(*path, number): self._at(entry) for number, entry in enumerate(node.value)}
                return [self.read(entry, (*path, number)) for number, entry in enumerate(node.value)]
            return self._loader.construct_object(node, deep=True)
        except ValueError as error:  # a date that is none
            raise _not_yaml(self._at(node), str(error)) from None
        finally:
            self._around.pop()

    def _mapping(self, node: yaml.MappingNode, path: Field) -> dict[Any, Any]:
        if id(node) not in self._checked:
            self._checked.add(id(node))
            self._each_once(node, path)
            self._loader.flatten_mapping(node)  # what << merges comes first, for the mapping's own to override
        data = {}
        for key_node, value_node in node.value:
            key = self._loader.construct_object(key_node)
            self.places[*path, key] = self._at(key_node)
            data[key] = self.read(value_node, (*path, key))
        return data

    def _each_once(self, node: yaml.MappingNode, path: Field) -> None:
        lines: dict[str, int] = {}
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise _not_yaml(self._at(key_node), "a key is no text; a template such as {{ prompt }} needs quotes")
            key, line = key_node.value, key_node.start_mark.line + 1
            if key in lines:
                raise BadConfig(
                    f"{dotted((*path, key))} is given twice, first on line {lines[key]}",
                    where=self._at(key_node),
                    mend="Leave one of them out",
                )
            lines[key] = line

    def _at(self, node: yaml.Node) -> str:
        return f"{self._source}:{node.start_mark.line + 1}"


def dotted(path: Field) -> str:
    """A field as --set names it."""
    return ".".join(map(str, path))


def _not_yaml(where: str, why: str) -> BadConfig:
    return BadConfig(f"not YAML: {why}", where=where, mend="Mend that line")


def _value(text: str) -> Any:
    """What YAML makes of it; else the text itself, as templates ({{ prompt }}) are no YAML."""
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):
        return text


def _put(data: Any, path: Sequence[str], value: Any) -> Field:
    """Set a value deep inside; numbers index lists. Returns the path, as places know it."""
    step, *rest = path
    at: Any = int(step) if isinstance(data, list) else step
    if isinstance(data, list):
        at = range(len(data))[at]
    if not rest:
        data[at] = value
        return (at,)
    below = data[at] if isinstance(data, list) else data.setdefault(at, {})
    return (at, *_put(below, rest, value))


def recipe_text(name: str) -> str:
    """The YAML of a built-in recipe or of a file; raises BadConfig."""
    if _is_file(name):
        try:
            return Path(name).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise BadConfig(
                f"cannot be read: {error}", where=f"recipe {name}", mend="Give a YAML file or a name"
            ) from error
    built_in = _RECIPES / f"{name}.yaml"
    if built_in.is_file():
        return built_in.read_text(encoding="utf-8")
    raise BadConfig(
        "no such recipe", where=f"recipe {name}", mend=f"Built in: {', '.join(recipes())}; or give a .yaml file"
    )


def recipes() -> list[str]:
    """Names of the built-in recipes."""
    return sorted(entry.name.removesuffix(".yaml") for entry in _RECIPES.iterdir() if entry.name.endswith(".yaml"))


def _is_file(name: str) -> bool:
    return Path(name).suffix in (".yaml", ".yml")
