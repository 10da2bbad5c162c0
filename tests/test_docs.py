"""What the documents say is what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flows.config import load_config, recipes
from tests import docs_settings

ROOT = Path(__file__).parent.parent


def test_the_settings_page_is_current() -> None:
    assert docs_settings.PAGE.read_text(encoding="utf-8") == docs_settings.page(), "make docs"


def test_every_setting_is_documented() -> None:
    assert "| None |" not in docs_settings.page()


@pytest.mark.parametrize("name", recipes())
def test_built_in_recipes_are_valid(name: str) -> None:
    assert load_config(name).name == name


def test_yaml_in_the_documents_is_a_valid_recipe(tmp_path: Path) -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    blocks = [
        block for page in pages for block in re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.S)
    ]
    assert blocks
    for block in blocks:
        recipe = tmp_path / "recipe.yaml"
        recipe.write_text(block, encoding="utf-8")
        load_config(str(recipe))


def test_links_between_the_documents_lead_somewhere() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
