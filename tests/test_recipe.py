"""Recipes: what is wrong with one is told with file and line, field, value and mend."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.config import RunConfig, load_config, load_settings
from flows.errors import BadConfig
from flows.recipe import parse_recipe, read_recipe, recipes
from scoring import TuneSettings

HEAD = """name: mine
strong:
  model: embedded
  logprobs: 5
sampling: {max_tokens: 64,
           top_k: 50}
methods:
  - name: base
  - name: aligntree
    chunk_tokens: 4
"""

WRONG: dict[str, tuple[str, str]] = {
    "a value out of range in a list": (
        HEAD + "    children: 0\n",
        "mine.yaml:11: methods.1.children = 0: must be greater than or equal to 1",
    ),
    "an alternative's own field": (
        HEAD.replace("chunk_tokens: 4", "chunk_tokens: 0"),
        "mine.yaml:10: methods.1.chunk_tokens = 0: must be greater than or equal to 1",
    ),
    "a field of a field's second form": (
        HEAD.replace("4\n", "\n      least: 3\n      most: 0\n      entropy: 6\n"),
        "mine.yaml:12: methods.1.chunk_tokens.most = 0: must be",
    ),
    "a field that is missing": (
        HEAD + "judge:\n  candidates: 3\n",
        "mine.yaml:11: judge.model: Field required",
    ),
    "a field that is not known": (
        HEAD + "    exploraton: 2\n",
        "mine.yaml:11: methods.1.exploraton: no such setting; did you mean exploration?",
    ),
    "a field of another method": (HEAD + "    width: 2\n", "mine.yaml:11: methods.1.width: no such setting. "),
    "a field that is not known at the top": (
        HEAD + "samplings: {}\n",
        "mine.yaml:11: samplings: no such setting; did you mean sampling?",
    ),
    "a field of a flow mapping on a line of its own": (
        HEAD.replace("50}", "fifty}"),
        "mine.yaml:6: sampling.top_k = 'fifty': must be a valid integer",
    ),
    "a wrong type": (HEAD + "budget: 5\n", "mine.yaml:11: budget = 5: must be"),
    "a method that is not known": (HEAD.replace("base", "magic"), "mine.yaml:8: methods.0: "),
    "fields that do not go together": (
        HEAD.replace("logprobs", "input_price"),
        "mine.yaml:2: strong: input_price and output_price: set both or neither",
    ),
    "fields of different parts that do not": (
        HEAD + "    limits:\n      tokens: 5\n",
        "mine.yaml:12: methods.1.limits.tokens = 5 is less than one answer",
    ),
    "a key twice": (HEAD + "\nname: other\n", "mine.yaml:12: name is given twice, first on line 1. "),
    "a key of a list's entry twice": (
        HEAD + "    chunk_tokens: 5\n",
        "mine.yaml:11: methods.1.chunk_tokens is given twice, first on line 10. ",
    ),
    "no YAML": (HEAD + "  gold: vader\n", "mine.yaml:11: not YAML: "),
    "a tab": (HEAD + "budget:\n\tusd: 1\n", "mine.yaml:12: not YAML: found character '\\t'"),
    "an unquoted template": (HEAD + "weak:\n  template: {{ prompt }}\n", "mine.yaml:12: not YAML: a key is no text; "),
    "a date that is none": (HEAD + "gold: 2024-13-45\n", "mine.yaml:11: not YAML: month must be in 1..12"),
    "a control character": (HEAD + "gold: \x07\n", "mine.yaml:11: not YAML: it holds the character 0x7"),
    "an anchor within itself": (HEAD + "seeds: &a [*a]\n", "mine.yaml:11: not YAML: it holds itself"),
    "an alias of nothing": (HEAD + "seeds: *a\n", "mine.yaml:11: not YAML: found undefined alias 'a'"),
    "two documents": (HEAD + "---\nname: x\n", "mine.yaml:11: not YAML: but found another document"),
    "no settings": ("- name\n", "mine.yaml: holds no settings"),
    "one of what is merged": (
        HEAD + "  - &a\n    name: beam\n    width: 0\n  - {<<: *a, label: two}\n",
        "mine.yaml:13: methods.2.width = 0: must be greater than or equal to 1; methods.3.width = 0: must be",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_in_a_recipe_is_told_with_its_line_and_field(case: str) -> None:
    text, told = WRONG[case]
    Path("mine.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(BadConfig) as refused:
        load_config("mine.yaml")
    assert str(refused.value).startswith(told)
    assert "\n" not in str(refused.value)


def test_a_mistake_in_an_option_is_told_with_the_option_and_one_in_the_file_still_with_its_line() -> None:
    Path("mine.yaml").write_text(HEAD + "    children: 0\n", encoding="utf-8")
    for given_settings, method, told in (
        (["methods.1.children=-1"], None, "--set methods.1.children: methods.1.children = -1: must be"),
        (["methods.1.children=2", "sampling.heat=1"], None, "--set sampling.heat: sampling.heat: no such setting"),
        (["methods.1={name: beam, wide: 1}"], None, "--set methods.1: methods.1.wide: no such setting"),
        (["sampling.top_p=0.5"], None, "mine.yaml:11: methods.1.children = 0"),
        (["methods.1.children=2", "strong.input_price=1"], None, "--set strong.input_price: strong: input_price"),
        (["methods.1.children=2", "judge.candidates=3"], None, "--set judge.candidates: judge.model: Field required"),
        ([], "aligntree", "mine.yaml:11: methods.0.children = 0"),
        ([], "magic", "--method magic: methods.0: "),
    ):
        with pytest.raises(BadConfig) as refused:
            load_config("mine.yaml", given_settings, method)
        assert str(refused.value).startswith(told)
    with pytest.raises(BadConfig, match=r"^--set epoch: epoch: no such setting; did you mean epochs\?"):
        load_settings(TuneSettings, ["epoch=2"])


def test_several_mistakes_are_told_at_once_and_the_rest_is_counted() -> None:
    Path("mine.yaml").write_text(HEAD + "a: 1\nb: 2\nc: 3\nd: 4\ne: 5\nf: 6\n", encoding="utf-8")
    with pytest.raises(BadConfig, match=r"^mine.yaml:11: a: .*; mine.yaml:14: d: [^;]*; and 2 more\. docs"):
        load_config("mine.yaml")


def test_what_stands_under_an_unknown_key_or_in_a_url_is_not_told() -> None:
    Path("mine.yaml").write_text("strong:\n  api_key: sk-secret\n  api_base: http://me:pass@h/v1\n", encoding="utf-8")
    with pytest.raises(BadConfig) as refused:
        load_config("mine.yaml", ["strong.key=sk-secret"])
    assert "sk-secret" not in str(refused.value) and "me:pass" not in str(refused.value)


@pytest.mark.parametrize("name", recipes())
def test_a_built_in_recipe_reads_as_yaml_does_and_every_field_has_a_line(name: str) -> None:
    from flows.recipe import recipe_text

    recipe = read_recipe(name)
    assert recipe.data == yaml.safe_load(recipe_text(name))
    lines = recipe_text(name).splitlines()
    for path, place in recipe.places.items():
        line = lines[int(place.rpartition(":")[2]) - 1]
        assert line.lstrip().startswith("-") or "[" in line if isinstance(path[-1], int) else f"{path[-1]}:" in line


_Yaml = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(data=st.dictionaries(st.text(), _Yaml, max_size=4), flow=st.sampled_from([None, True, False]))
@settings(max_examples=40)
def test_what_is_read_is_what_yaml_reads(data: dict[str, object], flow: bool | None) -> None:
    text = yaml.safe_dump(data, allow_unicode=True, default_flow_style=flow)
    assert parse_recipe(text, "x").data == yaml.safe_load(text)


def test_what_a_file_leaves_out_has_its_default_and_an_empty_one_is_all_defaults() -> None:
    Path("mine.yaml").write_text("\ufeff# nothing\n", encoding="utf-8")
    assert load_config("mine.yaml") == RunConfig()
