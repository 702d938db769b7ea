# Everything a developer types; `make help` lists it. Needs make and Python 3.11, 3.12 or 3.13.

SHELL := /bin/sh
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
BENCH := $(VENV)/.bench
DEMO := .demo
UI_PORT ?=
SEED ?= 20261123
SIZE ?= 1
RUNS ?= 5
PYTHON ?= $(shell for each in python3 python3.13 python3.12 python3.11; do \
	"$$each" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	2>/dev/null && echo "$$each" && break; done)

help: ## What can be made
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F '|' '{ printf "%-14s %s\n", $$1, $$2 }'

demo: $(READY) packages ## A simulated account, one sync of it, then the UI (UI=0: without the UI)
	@DAGSTER_HOME="$(CURDIR)/$(DEMO)/dagster" scripts/demo "$(BIN)" "$(DEMO)"
	@if [ "$(UI)" != 0 ]; then $(MAKE) --no-print-directory ui; fi

ui: $(READY) packages ## The Dagster UI of the demo, with its file server and sensors
	@DAGSTER_HOME="$(CURDIR)/$(DEMO)/dagster" scripts/ui "$(BIN)" "$(DEMO)" "$(UI_PORT)"

test: $(READY) packages ## All tests, on all cores (ARGS="-k word" to choose)
	@$(BIN)/pytest -n auto $(ARGS)

trust: $(READY) packages ## The scorecard of faults at its full size, under an hour (SEED=n to repeat one)
	@TRUST=full TRUST_TABLE=scorecard.md $(BIN)/pytest -n auto --dist worksteal -q -m scorecard \
		--timeout 1800 --randomly-seed=$(SEED) --hypothesis-seed=$(SEED) $(ARGS)

bench: $(BENCH) packages ## Ours, the floors and alternatives, side by side (SIZE=1 is 5.4 million rows, RUNS=5)
	@$(BIN)/python -m benchmarks --size $(SIZE) --runs $(RUNS) $(ARGS)

check: $(READY) ## Style, types, layers, and that the lock names no index
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@! grep -nE '://|index-url|find-links|^-|^[^#]* @ ' requirements/*.txt

lock: ## Resolve requirements/*.txt anew, with hashes for all platforms and no index in them
	@$(PYTHON) -m venv .lock-venv
	@.lock-venv/bin/pip install --quiet uv
	@scripts/lock .lock-venv/bin/uv

clean: ## Remove what make made: environments, caches, the demo
	@rm -rf $(VENV) .lock-venv $(DEMO) .bench build dist *.egg-info .hypothesis .*_cache
	@find . -name __pycache__ -prune -exec rm -rf {} +

$(READY): requirements/dev.txt pyproject.toml setup.cfg
	@scripts/environment "$(PYTHON)" "$(VENV)"
	@touch $@

$(BENCH): $(READY) requirements/bench.txt
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements/bench.txt
	@touch $@

test trust: FOR := test
bench: FOR := bench
packages:
	@scripts/packages $(FOR)

.PHONY: help demo ui test trust bench check lock clean packages
