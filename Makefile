# Every target sets itself up first; what is there already costs a few milliseconds.
#
#   make run        open the window (on a virtual screen where there is no other)
#   make test       style, types, import rules and the quick tests
#   make help       all the rest

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run test test-all check bench bench-quality sheets train distil bundle clean setup setup-dev setup-training

BIN := .venv/bin
PYTHON := $(BIN)/python
PYTEST := QT_QPA_PLATFORM=$${QT_QPA_PLATFORM:-offscreen} $(PYTHON) -m pytest
RECIPE ?= fashion32
ARGS ?=

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1|\2/' \
	  | while IFS='|' read -r name text; do printf '  make %-15s %s\n' "$$name" "$$text"; done

run: setup ## open the window; without a display, on a virtual screen with screenshots
	@scripts/run.sh $(ARGS)

test: check ## style, types, import rules and the quick tests
	$(PYTEST) $(ARGS)

test-all: check ## the same with the slow tests
	$(PYTEST) -m 'not bench' $(ARGS)

check: setup-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup-dev ## measure engine, window, peers and published networks; JSON under build/bench/
	$(PYTHON) -m tests.benchmarks.bench_engine $(ARGS)
	$(PYTHON) -m tests.benchmarks.bench_window $(ARGS)
	$(PYTHON) -m tests.benchmarks.bench_peers $(ARGS)
	$(PYTHON) -m tests.benchmarks.bench_pad $(ARGS)
	$(PYTHON) -m tests.benchmarks.bench_traverse $(ARGS)
	$(PYTHON) -m tests.benchmarks.bench_published
	$(PYTHON) -m tests.benchmarks.bench_published_jobs
	$(PYTHON) -m tests.benchmarks.bench_encode

bench-quality: setup-dev setup-training ## measure the images of RECIPE's model by every solver; JSON under build/bench/
	$(PYTHON) -m tests.benchmarks.$(if $(filter emoji%,$(RECIPE)),bench_emoji $(RECIPE),bench_quality) $(ARGS)

sheets: setup-dev setup-training ## draw the sample sheets of RECIPE=emoji64 or emoji256-up beside its card
	$(PYTHON) scripts/sheets.py $(RECIPE) $(ARGS)

train: setup setup-training ## train the network of RECIPE=fashion32; goes on where it was stopped
	$(BIN)/genie train $(RECIPE) --out runs/$(RECIPE) --resume $(ARGS)

distil: setup setup-training ## distil the GENIE head of RECIPE=fashion32; writes runs/fashion32/model
	$(BIN)/genie distil $(RECIPE) --out runs/$(RECIPE) --resume $(ARGS)

bundle: setup-dev ## freeze the application into dist/GenieStudio/ (minutes)
	$(PYTHON) -m pip install -qq -e '.[bundle]'
	$(BIN)/pyinstaller --noconfirm --log-level WARN genie.spec

clean: ## remove what was built and measured; keeps .venv and runs
	rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

setup:
	@scripts/setup.sh run

setup-dev:
	@scripts/setup.sh dev

setup-training:
	@scripts/setup.sh training $(RECIPE)
