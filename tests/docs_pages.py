"""What docs holds that is made from the code: `make docs` writes it, a test checks that it is current."""

from __future__ import annotations

from tests import docs_commands, docs_pictures, docs_recipes, docs_schema, docs_settings

PAGES = {
    made.PAGE: made.page for made in (docs_settings, docs_commands, docs_recipes, docs_schema)
} | docs_pictures.PICTURES


if __name__ == "__main__":
    for path, page in PAGES.items():
        path.write_text(page(), encoding="utf-8")
