"""docs/contributing.md, put into a copy of the house as it says, holds there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.markdown import ROOT, blocks

PAGE = ROOT / "docs/contributing.md"
_FILE = re.compile(r"<!-- file: (\S+)(?: as (\S+))? -->\n```python\n(.*?)```", re.S)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy with every change of the page in it."""
    copy = tmp_path_factory.mktemp("house")
    for package in ("flows", "providers", "scoring", "store", "tests"):
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    for source, target, _ in _FILE.findall(PAGE.read_text(encoding="utf-8")):
        shutil.copy(ROOT / source, copy / (target or source))
    for block in blocks(PAGE, "diff"):
        for path, changes in re.findall(r"^--- (\S+)\n(.*?)(?=^--- |\Z)", block.text, re.M | re.S):
            for change in re.split(r"^@@\n", changes, flags=re.M):
                apply(copy / path, change)
    return copy


def apply(file: Path, change: str) -> None:
    """Lines that begin with a space or a minus are there, once; those with a plus come in."""
    lines = change.splitlines(keepends=True)
    before = "".join(line[1:] for line in lines if line[0] in " -")
    after = "".join(line[1:] for line in lines if line[0] in " +")
    text = file.read_text(encoding="utf-8")
    assert text.count(before) == 1, f"{file.name} does not hold, once:\n{before}"
    file.write_text(text.replace(before, after), encoding="utf-8")


def test_what_the_page_shows_is_what_is_tested() -> None:
    shown = _FILE.findall(PAGE.read_text(encoding="utf-8"))
    assert len(shown) == len(blocks(PAGE, "python"))
    for source, _, text in shown:
        assert (ROOT / source).read_text(encoding="utf-8") == text


def test_a_method_a_mode_and_a_value_are_added_as_the_page_says(house: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/examples/in_the_house.py"]
    surroundings = os.environ | {"PYTHONPATH": str(house)}
    done = subprocess.run(command, cwd=house, env=surroundings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
