"""docs/recipes.md: each built-in recipe with what its first lines say of it."""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path

from flows.config import recipe_text, recipes

PAGE = Path(__file__).parent.parent / "docs" / "recipes.md"

_HEAD = """# Recipes

A recipe is a YAML file that says everything about a run; the record keeps it resolved. A built-in one goes by its
name, your own by its file:

```
aligntree align "The garden is" --recipe sentiment
aligntree align --file prompts.txt --recipe mine.yaml --set sampling.max_tokens=128
```

To make one of your own, copy the nearest below. What it leaves out has the default of [settings.md](settings.md);
`--set` sets a single key over it, `--method` keeps one of its methods. [models.md](models.md) has the lines for each
kind of endpoint, [weak-pairs.md](weak-pairs.md) those for a pair.

This page is made from flows/recipes by `make docs`.
"""


def page() -> str:
    return "\n".join([_HEAD, *(_told(name) for name in recipes())])


def _told(name: str) -> str:
    lines = recipe_text(name).splitlines()
    about = [*takewhile(lambda line: line.startswith("#"), lines)]
    prose = " ".join(line.lstrip("# ") for line in about)
    settings = "\n".join(lines[len(about) :]).strip()
    return f"## {name}\n\n{prose}\n\n```yaml\n{settings}\n```\n"
