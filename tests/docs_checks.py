"""Whether a command in the documents is one: verbs, options, recipes and settings are held against the code."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import typer
import yaml

from flows.cli import app
from flows.compare import at_budgets
from flows.config import load_config, load_settings
from flows.preferences import PreferenceSettings
from flows.rerank import RerankSettings, as_searched
from scoring import TuneSettings, WeakSettings
from tests.markdown import PAGES, ROOT, Command, blocks

GROUP = typer.main.get_group(app)


def write_recipes(first: Path) -> None:
    """Each YAML block that names itself as the recipe file of that name, in this folder; those of `first` win."""
    for page in [*(page for page in PAGES if page != first), first]:
        for block in blocks(page, "yaml"):
            if name := (yaml.safe_load(block.text) or {}).get("name"):
                Path(f"{name}.yaml").write_text(block.text, encoding="utf-8")


def check_command(command: Command) -> None:
    """Raises where there is no such thing; of other programs nothing is known."""
    match command.program, command.words:
        case "aligntree", words:
            check_aligntree(words)
        case "make", words:
            check_make(words)
        case "python", ("-m", module, *words):
            check_module(module, words)


def check_make(targets: Sequence[str]) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in targets:
        assert re.search(rf"^{re.escape(target)}:", makefile, re.M), f"no make {target}"


def check_module(module: str, words: Sequence[str]) -> None:
    if module.partition(".")[0] not in ("tests", "flows", "providers", "scoring", "store"):
        return
    spec = find_spec(module)
    assert spec is not None and spec.origin is not None, f"no module {module}"
    text = Path(spec.origin).read_text(encoding="utf-8")
    for word in words:
        assert not word.startswith("-") or f'"{word}"' in text, f"{module} has no {word}"


def check_aligntree(words: Sequence[str]) -> None:
    """Parsed as the command parses it; recipe and settings are read. Nothing is run."""
    if not words or words[0].startswith("-"):
        assert {*words} <= {option for parameter in GROUP.params for option in parameter.opts}
        return
    verb, *rest = words
    assert verb in GROUP.commands, f"no verb {verb}"
    if "--help" not in rest:
        told = GROUP.commands[verb].make_context(verb, rest).params
        if check := _SETTINGS.get(verb):
            check(told)


def check_mention(code: str) -> None:
    """`aligntree VERB` amid the text, which need not be whole: the verb and the options it names are there."""
    _, *words = shlex.split(code)
    if words and re.fullmatch(r"[a-z]+", words[0]):
        assert words[0] in GROUP.commands, f"no verb {words[0]}"
        known = {option for parameter in GROUP.commands[words[0]].params for option in parameter.opts}
        known |= {option for parameter in GROUP.commands[words[0]].params for option in parameter.secondary_opts}
        for word in words[1:]:
            assert not re.match(r"--?[a-z]", word) or word in known | {"--help"}, f"{words[0]} has no {word}"


def _of_recipe(told: dict[str, Any]) -> None:
    settings = list(told.get("settings") or ())
    if told.get("approximate"):
        settings.append("strong.allow_approximate=true")
    if model := told.get("model"):
        settings.append(f"strong.model={model}")
    load_config(told["recipe"], settings, told.get("method"))


def _of_comparison(told: dict[str, Any]) -> None:
    at_budgets(load_config(told["recipe"] or "comparison", told["settings"] or ()), told["answers"] or [16])


def _of_a_pair(own: type[PreferenceSettings | TuneSettings]) -> Callable[[dict[str, Any]], None]:
    def check(told: dict[str, Any]) -> None:
        settings = told["settings"] or ()
        load_settings(WeakSettings, [s.removeprefix("weak.") for s in settings if s.startswith("weak.")])
        load_settings(own, [s for s in settings if not s.startswith("weak.")])

    return check


def _of_a_fork(told: dict[str, Any]) -> None:
    load_config("sentiment", told["settings"] or (), "aligntree")


def _of_an_export(told: dict[str, Any]) -> None:
    from flows.export import FORMS

    assert told["form"] in {*FORMS, "FORM"}, f"no form {told['form']}"


def _of_a_rerank(told: dict[str, Any]) -> None:
    load_settings(RerankSettings, told["settings"] or (), **as_searched(load_config("sentiment")))


_SETTINGS: dict[str, Callable[[dict[str, Any]], None]] = {
    "align": _of_recipe,
    "deploy": _of_recipe,
    "serve": _of_recipe,
    "doctor": _of_recipe,
    "compare": _of_comparison,
    "preferences": _of_a_pair(PreferenceSettings),
    "tune": _of_a_pair(TuneSettings),
    "fork": _of_a_fork,
    "rerank": _of_a_rerank,
    "export": _of_an_export,
}
